import type { LookupAddress } from 'node:dns'
import { isIP, type Socket } from 'node:net'
import { type Clock, forkAbort, raceAbort } from '../../runtime/index.js'
import type { BlockedRequest, NetworkPolicy, NetworkRefusal } from '../../sessions/ports.js'
import { type CheckedAddress, type Connect, type Connected, connectFirst } from './connect-first.js'
import { join } from './join-sockets.js'
import {
  greetingAnswer,
  MAX_HANDSHAKE_BYTES,
  parseGreeting,
  parseRequest,
  requestAnswer,
  SOCKS_REPLIES,
  type SocksParse,
  type SocksReply,
  type SocksTarget,
} from './socks-protocol.js'
import { readMessage, tunnel, type UpstreamAddress } from './upstream-proxy.js'

/** Limit of a client's handshake, and of everything up to an open connection, in milliseconds. */
const HANDSHAKE_LIMIT_MS = 10_000
const CONNECT_LIMIT_MS = 30_000

/** Every address of a name. */
export type Lookup = (name: string) => Promise<readonly LookupAddress[]>

export interface SocksConnectionOptions {
  readonly lookup: Lookup
  readonly connect: Connect
  readonly clock: Clock
  readonly upstream: UpstreamAddress | null
  /** The policy now; null: everything may be reached. */
  readonly policy: () => NetworkPolicy | null
}

/** One connection of a browser: its wish, the checks, and the connection that it got. */
export class SocksConnection {
  readonly #client: Socket
  readonly #options: SocksConnectionOptions
  readonly #life = forkAbort()
  #target: SocksTarget | null = null
  /** Set when it is connected. */
  #address: string | null = null

  constructor(client: Socket, options: SocksConnectionOptions) {
    this.#client = client
    this.#options = options
    client.setNoDelay(true)
    client.on('error', () => client.destroy()) // whoever waits for it hears of the close
    client.once('close', () => this.#life.abort(GONE))
  }

  /** Cuts it. */
  destroy(): void {
    this.#client.destroy()
  }

  /** Cuts it when a policy refuses where it leads. */
  recheck(policy: NetworkPolicy): void {
    if (this.#target !== null && refusalOf(policy, this.#target, this.#address) !== null) this.destroy()
  }

  /** Serves it until bytes flow. Never rejects. */
  async serve(): Promise<void> {
    const { clock } = this.#options
    const timer = clock.setTimer(() => this.destroy(), HANDSHAKE_LIMIT_MS)
    try {
      const target = await this.#handshake()
      timer.cancel()
      if (target !== null) await this.#open(target)
    } catch {
      this.destroy() // the client is gone, or speaks another protocol
    } finally {
      timer.cancel()
    }
  }

  /** Null: it was refused already. */
  async #handshake(): Promise<SocksTarget | null> {
    const { signal } = this.#life
    const isAccepted = await readMessage(this.#client, limited(parseGreeting), signal)
    this.#client.write(greetingAnswer(isAccepted))
    if (!isAccepted) {
      this.#client.end(() => this.#client.destroy())
      return null
    }
    const request = await readMessage(this.#client, limited(parseRequest), signal)
    if (!('reply' in request)) return request
    this.#refuse(request.reply)
    return null
  }

  async #open(target: SocksTarget): Promise<void> {
    this.#target = target
    const { clock } = this.#options
    const fork = forkAbort(this.#life.signal)
    const timer = clock.setTimer(() => fork.abort(TOO_SLOW), CONNECT_LIMIT_MS)
    try {
      const connected = await this.#connectChecked(target, fork.signal)
      if (connected === null) return
      const refusal = refusalOf(this.#options.policy(), target, connected.address) // the policy may be another one by now
      if (refusal !== null || this.#client.destroyed) {
        connected.socket.destroy()
        if (refusal !== null) this.#block(target, refusal)
        return
      }
      this.#address = connected.address
      this.#client.write(requestAnswer(SOCKS_REPLIES.granted))
      join(this.#client, connected.socket, clock)
    } catch (error) {
      this.#refuse(replyFor(error))
    } finally {
      timer.cancel()
      fork.dispose()
    }
  }

  /** Null: the policy refused it. */
  async #connectChecked(target: SocksTarget, signal: AbortSignal): Promise<Connected | null> {
    const before = refusalOf(this.#options.policy(), target, null)
    if (before !== null) return this.#block(target, before)
    const found = await raceAbort(this.#resolve(target.host), signal)
    const policy = this.#options.policy()
    const addresses = found.filter(({ address }) => refusalOf(policy, target, address) === null)
    // of a name with several addresses only the admitted ones are used; one that has no other is refused
    const refused = addresses.length === 0 && found[0] !== undefined ? refusalOf(policy, target, found[0].address) : null
    if (refused !== null) return this.#block(target, refused)
    return this.#connect(addresses, target.port, signal)
  }

  async #resolve(host: string): Promise<CheckedAddress[]> {
    const version = isIP(host)
    const found = version === 0 ? await this.#options.lookup(host) : [{ address: host, family: version }]
    return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }))
  }

  async #connect(addresses: readonly CheckedAddress[], port: number, signal: AbortSignal): Promise<Connected> {
    const { upstream, connect, clock } = this.#options
    if (upstream === null) return connectFirst({ addresses, port, connect, clock, signal })
    let failure: unknown = new Error('there is no address')
    for (const { address } of addresses) {
      try {
        return { socket: await this.#connectThrough(upstream, { host: address, port }, signal), address }
      } catch (error) {
        failure = error
        signal.throwIfAborted()
      }
    }
    throw failure
  }

  async #connectThrough(upstream: UpstreamAddress, target: SocksTarget, signal: AbortSignal): Promise<Socket> {
    const { connect, clock } = this.#options
    const proxies = await raceAbort(this.#resolve(upstream.host), signal)
    const { socket } = await connectFirst({ addresses: proxies, port: upstream.port, connect, clock, signal })
    try {
      await tunnel(socket, upstream, target, signal)
      return socket
    } catch (error) {
      socket.destroy()
      throw error
    }
  }

  #block(target: SocksTarget, refusal: NetworkRefusal): null {
    this.#refuse(SOCKS_REPLIES.refused)
    report(this.#options.policy(), { ...target, ...refusal })
    return null
  }

  #refuse(reply: SocksReply): void {
    if (this.#client.destroyed) return
    this.#client.resume()
    this.#client.end(requestAnswer(reply), () => this.#client.destroy())
  }
}

const GONE = new Error('the client is gone')
const TOO_SLOW = Object.assign(new Error('nothing answers in time'), { code: 'ETIMEDOUT' })

function refusalOf(policy: NetworkPolicy | null, { host, port }: SocksTarget, address: string | null): NetworkRefusal | null {
  try {
    return policy?.check({ host, port, ...(address === null ? {} : { address }) }) ?? null
  } catch {
    return { rule: 'policy', reason: 'the policy could not be asked' } // fail closed
  }
}

function report(policy: NetworkPolicy | null, request: BlockedRequest): void {
  try {
    policy?.onBlocked(request)
  } catch {
    // the request is refused all the same
  }
}

const limited =
  <T>(parse: (data: Buffer) => SocksParse<T>) =>
  (data: Buffer): SocksParse<T> =>
    data.length > MAX_HANDSHAKE_BYTES ? { ok: false } : parse(data)

/** Chromium tells an unreachable host from everything else; only a refusal of ours is to look like one. */
function replyFor(error: unknown): SocksReply {
  switch ((error as NodeJS.ErrnoException | null)?.code) {
    case 'ECONNREFUSED':
      return SOCKS_REPLIES.connectionRefused
    case 'ETIMEDOUT':
      return SOCKS_REPLIES.timedOut
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return SOCKS_REPLIES.hostUnreachable
    default:
      return SOCKS_REPLIES.failed
  }
}
