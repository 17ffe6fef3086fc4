import type { Socket } from 'node:net'
import type { Clock, Timer } from '../../runtime/index.js'

/** One address that a name has. */
export interface CheckedAddress {
  readonly address: string
  readonly family: 4 | 6
}

/** Opens a connection; the socket may be connecting still. */
export type Connect = (target: { readonly address: string; readonly family: 4 | 6; readonly port: number }) => Socket

export interface ConnectFirstParams {
  readonly addresses: readonly CheckedAddress[]
  readonly port: number
  readonly connect: Connect
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** How long an address may take before the next one is tried beside it (RFC 8305, section 5), in milliseconds. */
const HEAD_START_MS = 250

/** Connects to the first of the addresses that answers, families in turn; the other attempts are taken back. */
export function connectFirst({ addresses, port, connect, clock, signal }: ConnectFirstParams): Promise<Connected> {
  const waiting = familiesInTurn(addresses)
  return new Promise((resolve, reject) => {
    const attempts = new Set<Socket>()
    let timer: Timer | null = null
    let failure: unknown = new Error('there is no address')
    const end = (winner: Socket | null) => {
      timer?.cancel()
      signal.removeEventListener('abort', onAbort)
      for (const socket of attempts) if (socket !== winner) socket.destroy()
      attempts.clear()
    }
    const onAbort = () => {
      end(null)
      reject(signal.reason)
    }
    const next = () => {
      timer?.cancel()
      const candidate = waiting.shift()
      if (candidate === undefined) {
        if (attempts.size > 0) return
        end(null)
        return reject(failure)
      }
      const socket = connect({ ...candidate, port })
      attempts.add(socket)
      socket.on('error', (error) => {
        failure = error
        if (attempts.delete(socket)) next()
      })
      socket.once('connect', () => {
        if (!attempts.has(socket)) return
        end(socket)
        resolve({ socket, address: candidate.address })
      })
      if (waiting.length > 0) timer = clock.setTimer(next, HEAD_START_MS)
    }
    if (signal.aborted) return reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    next()
  })
}

export interface Connected {
  readonly socket: Socket
  readonly address: string
}

/** The order of the resolver, but with the families alternating, so that one that leads nowhere costs one attempt. */
export function familiesInTurn(addresses: readonly CheckedAddress[]): CheckedAddress[] {
  const first = addresses[0]?.family
  const same = addresses.filter(({ family }) => family === first)
  const other = addresses.filter(({ family }) => family !== first)
  return same.flatMap((address, index) => [address, ...other.slice(index, index + 1)]).concat(other.slice(same.length))
}
