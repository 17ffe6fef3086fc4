import type { Socket } from 'node:net'
import { isIPv6 } from 'node:net'
import { InvalidArgumentError } from '../../errors/index.js'
import type { UpstreamProxy } from '../../sessions/ports.js'
import { connectRequest, parseAnswer, type SocksParse, type SocksTarget } from './socks-protocol.js'

/** Where a further proxy listens, and how it is spoken to. */
export interface UpstreamAddress {
  readonly kind: 'http' | 'socks5'
  readonly host: string
  readonly port: number
  readonly username: string
  readonly password: string
}

/** Longest answer of an HTTP proxy that is read, in bytes. */
const MAX_ANSWER_BYTES = 16_384

/** @throws {InvalidArgumentError} for an address that is no `http://host:port` or `socks5://host:port` */
export function parseUpstream({ server, username, password }: UpstreamProxy): UpstreamAddress {
  const url = URL.canParse(server) ? new URL(server) : null
  const kind = url?.protocol === 'http:' ? 'http' : url?.protocol === 'socks5:' ? 'socks5' : null
  if (url === null || kind === null || url.hostname === '') {
    throw new InvalidArgumentError(`"${server}" is no upstream proxy`, {
      path: 'upstream.server',
      expected: 'http://host:port or socks5://host:port',
      received: server,
    })
  }
  const port = url.port === '' ? (kind === 'http' ? 80 : 1080) : Number(url.port)
  return { kind, host: url.hostname.replace(/^\[|\]$/g, ''), port, username: username ?? '', password: password ?? '' }
}

/** Asks a proxy, over a connection to it, to go on to an address; resolves when bytes may flow. */
export async function tunnel(socket: Socket, upstream: UpstreamAddress, target: SocksTarget, signal: AbortSignal): Promise<void> {
  if (upstream.kind === 'http') await httpTunnel(socket, upstream, target, signal)
  else await socksTunnel(socket, upstream, target, signal)
}

async function httpTunnel(socket: Socket, { username, password }: UpstreamAddress, target: SocksTarget, signal: AbortSignal) {
  const authority = `${isIPv6(target.host) ? `[${target.host}]` : target.host}:${target.port}`
  const credentials = Buffer.from(`${username}:${password}`).toString('base64')
  const authorization = username === '' && password === '' ? '' : `Proxy-Authorization: Basic ${credentials}\r\n`
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${authorization}\r\n`)
  const head = await readMessage(socket, parseHead, signal)
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? 0)
  if (status < 200 || status > 299) throw new Error(`the upstream proxy answered ${status || 'no HTTP'}`)
}

function parseHead(data: Buffer): SocksParse<string> {
  const end = data.indexOf('\r\n\r\n')
  if (end !== -1) return { ok: true, value: data.toString('latin1', 0, end), length: end + 4 }
  return data.length > MAX_ANSWER_BYTES ? { ok: false } : null
}

async function socksTunnel(socket: Socket, { username, password }: UpstreamAddress, target: SocksTarget, signal: AbortSignal) {
  const hasCredentials = username !== '' || password !== ''
  socket.write(Buffer.from(hasCredentials ? [5, 2, 0, 2] : [5, 1, 0]))
  const method = await readMessage(socket, parsePair, signal)
  if (method === 2 && hasCredentials) {
    const [name, word] = [Buffer.from(username), Buffer.from(password)]
    if (name.length > 255 || word.length > 255) throw new Error('name and password of an upstream proxy have at most 255 bytes each')
    socket.write(Buffer.from([1, name.length, ...name, word.length, ...word]))
    if ((await readMessage(socket, parsePair, signal)) !== 0) throw new Error('the upstream proxy refused name and password')
  } else if (method !== 0) {
    throw new Error('the upstream proxy wants another authentication')
  }
  socket.write(connectRequest(target))
  const reply = await readMessage(socket, parseAnswer, signal)
  if (reply !== 0) throw new Error(`the upstream proxy answered ${reply}`)
}

/** Version and one byte: the answer to a greeting (RFC 1928) and to name and password (RFC 1929). */
const parsePair = (data: Buffer): SocksParse<number> => (data.length < 2 ? null : { ok: true, value: Number(data[1]), length: 2 })

/** Reads one message; what comes after it stays in the socket. */
export function readMessage<T>(socket: Socket, parse: (data: Buffer) => SocksParse<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    let received: Buffer = Buffer.alloc(0)
    const end = (settle: () => void) => {
      socket.off('readable', onReadable).off('end', onEnd).off('close', onEnd).off('error', onError)
      signal.removeEventListener('abort', onAbort)
      settle()
    }
    const onAbort = () => end(() => reject(signal.reason))
    const onEnd = () => end(() => reject(new Error('the connection ended in its handshake')))
    const onError = (error: Error) => end(() => reject(error))
    const onReadable = () => {
      const chunk = socket.read() as Buffer | null
      if (chunk === null) return
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
      const parsed = parse(received)
      if (parsed === null) return
      end(() => {
        if (!parsed.ok) return reject(new Error('the other side speaks another protocol'))
        if (parsed.length < received.length) socket.unshift(received.subarray(parsed.length))
        resolve(parsed.value)
      })
    }
    if (signal.aborted) return reject(signal.reason)
    if (socket.destroyed) return reject(new Error('the connection is closed'))
    signal.addEventListener('abort', onAbort, { once: true })
    socket.on('readable', onReadable).on('end', onEnd).on('close', onEnd).on('error', onError)
    onReadable()
  })
}
