import { isIPv4, isIPv6 } from 'node:net'
import ipaddr from 'ipaddr.js'

/** What a SOCKS5 server answers to a request (RFC 1928, section 6). */
export const SOCKS_REPLIES = {
  granted: 0,
  failed: 1,
  refused: 2,
  hostUnreachable: 4,
  connectionRefused: 5,
  timedOut: 6,
  commandNotSupported: 7,
  addressTypeNotSupported: 8,
} as const

export type SocksReply = (typeof SOCKS_REPLIES)[keyof typeof SOCKS_REPLIES]

/** Where a client wants to go. */
export interface SocksTarget {
  /** As the client wrote it: a name, or an address without brackets. */
  readonly host: string
  readonly port: number
}

/** Result of reading a message of which perhaps not all has come: null means that more is needed. */
export type SocksParse<T> = { readonly ok: true; readonly value: T; readonly length: number } | { readonly ok: false } | null

const VERSION = 5
const CONNECT = 1
const NO_AUTHENTICATION = 0

/** Longest handshake of a client: greeting and request with every field at its longest come to 519 bytes. */
export const MAX_HANDSHAKE_BYTES = 600

/** Accepts a greeting (`true`: the client can do without authentication). */
export function parseGreeting(data: Buffer): SocksParse<boolean> {
  if (data.length >= 1 && data[0] !== VERSION) return { ok: false }
  const count = data[1]
  if (count === undefined || data.length < 2 + count) return null
  return { ok: true, value: data.subarray(2, 2 + count).includes(NO_AUTHENTICATION), length: 2 + count }
}

/** A request, or the reply that refuses it. */
export type SocksRequest = SocksTarget | { readonly reply: SocksReply }

export function parseRequest(data: Buffer): SocksParse<SocksRequest> {
  if (data.length >= 1 && data[0] !== VERSION) return { ok: false }
  const type = data[3]
  if (type === undefined) return null
  const addressEnd = endOfAddress(data, 3)
  if (addressEnd === null) return { ok: true, value: { reply: SOCKS_REPLIES.addressTypeNotSupported }, length: data.length }
  if (addressEnd === undefined || data.length < addressEnd + 2) return null
  const length = addressEnd + 2
  if (data[1] !== CONNECT) return { ok: true, value: { reply: SOCKS_REPLIES.commandNotSupported }, length }
  return { ok: true, value: { host: readAddress(data, 3, addressEnd), port: data.readUInt16BE(addressEnd) }, length }
}

/** Where an address ends that begins with its type at `start`; undefined: not all is there; null: no known type. */
function endOfAddress(data: Buffer, start: number): number | undefined | null {
  switch (data[start]) {
    case 1:
      return start + 5
    case 3: {
      const length = data[start + 1]
      return length === undefined ? undefined : start + 2 + length
    }
    case 4:
      return start + 17
    default:
      return null
  }
}

function readAddress(data: Buffer, start: number, end: number): string {
  if (data[start] === 3) return data.toString('latin1', start + 2, end)
  return ipaddr.fromByteArray([...data.subarray(start + 1, end)]).toString()
}

/** The answer to a greeting: `0` no authentication, `0xff` none that is known. */
export const greetingAnswer = (isAccepted: boolean): Buffer => Buffer.from([VERSION, isAccepted ? NO_AUTHENTICATION : 0xff])

/** The answer to a request; the bound address says nothing, as no client needs it. */
export const requestAnswer = (reply: SocksReply): Buffer => Buffer.from([VERSION, reply, 0, 1, 0, 0, 0, 0, 0, 0])

/** A request for an address, as a client sends it to a further proxy. */
export function connectRequest({ host, port }: SocksTarget): Buffer {
  const head = [VERSION, CONNECT, 0]
  const tail = [port >> 8, port & 0xff]
  if (isIPv4(host) || isIPv6(host)) {
    const bytes = ipaddr.parse(host).toByteArray()
    return Buffer.from([...head, bytes.length === 4 ? 1 : 4, ...bytes, ...tail])
  }
  const name = Buffer.from(host, 'latin1')
  return Buffer.from([...head, 3, name.length, ...name, ...tail])
}

/** The answer of a further proxy to a request; its value is the reply. */
export function parseAnswer(data: Buffer): SocksParse<number> {
  if (data.length >= 1 && data[0] !== VERSION) return { ok: false }
  const reply = data[1]
  if (reply === undefined || data.length < 4) return null
  if (reply !== SOCKS_REPLIES.granted) return { ok: true, value: reply, length: data.length }
  const addressEnd = endOfAddress(data, 3)
  if (addressEnd === null) return { ok: false }
  if (addressEnd === undefined || data.length < addressEnd + 2) return null
  return { ok: true, value: reply, length: addressEnd + 2 }
}
