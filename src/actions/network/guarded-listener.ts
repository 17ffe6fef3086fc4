import { createServer, type Server, type Socket } from 'node:net'
import type { GuardedNetwork, NetworkPolicy, ProcessIdentity } from '../../sessions/ports.js'
import type { PeerPorts } from './peer-owner.js'
import { SocksConnection, type SocksConnectionOptions } from './socks-connection.js'

/** Connections of one browser at the same time. Chromium opens 32 to a proxy, and 255 with WebSockets. */
const MAX_CONNECTIONS = 1_000

export interface GuardedListenerOptions extends Omit<SocksConnectionOptions, 'policy'> {
  /** 0: any free one. */
  readonly port: number
  readonly owner: { admit(process: ProcessIdentity): void; owns(peer: PeerPorts): Promise<boolean> }
}

/** One browser's way to the network: a SOCKS5 listener on loopback. */
export class GuardedListener implements GuardedNetwork {
  readonly #options: GuardedListenerOptions
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #connections = new Set<SocksConnection>()
  #policy: NetworkPolicy | null = null
  #port = 0
  #closing: Promise<void> | undefined

  private constructor(options: GuardedListenerOptions) {
    this.#options = options
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: false }, (socket) => this.#accept(socket))
  }

  /** Resolves when it listens. */
  static async open(options: GuardedListenerOptions): Promise<GuardedListener> {
    const listener = new GuardedListener(options)
    await listener.#listen()
    return listener
  }

  get port(): number {
    return this.#port
  }

  get launchArgs(): readonly string[] {
    return [
      `--proxy-server=socks5://127.0.0.1:${this.#port}`,
      '--proxy-bypass-list=<-loopback>',
      '--webrtc-ip-handling-policy=disable_non_proxied_udp',
      '--force-webrtc-ip-handling-policy=disable_non_proxied_udp',
      // nothing is left for the browser to resolve: what asks for a name all the same would leak it
      '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
    ]
  }

  admit(process: ProcessIdentity): void {
    this.#options.owner.admit(process)
  }

  apply(policy: NetworkPolicy | null): void {
    this.#policy = policy
    if (policy !== null) for (const connection of this.#connections) connection.recheck(policy)
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#server.close(() => resolve())
      for (const socket of this.#sockets) socket.destroy()
    })
    return this.#closing
  }

  #listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ host: '127.0.0.1', port: this.#options.port, exclusive: true }, () => {
        this.#server.off('error', reject)
        this.#server.on('error', () => {}) // accepting fails when the host has no descriptors left: the browser tries again
        const address = this.#server.address()
        this.#port = typeof address === 'object' && address !== null ? address.port : 0
        resolve()
      })
    })
  }

  #accept(socket: Socket): void {
    if (this.#sockets.size >= MAX_CONNECTIONS) {
      socket.destroy()
      return
    }
    this.#sockets.add(socket)
    const connection = new SocksConnection(socket, { ...this.#options, policy: () => this.#policy })
    this.#connections.add(connection)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      this.#connections.delete(connection)
    })
    void this.#serve(socket, connection)
  }

  async #serve(socket: Socket, connection: SocksConnection): Promise<void> {
    const peer = { clientPort: socket.remotePort ?? 0, serverPort: this.#port }
    if (await this.#options.owner.owns(peer)) await connection.serve()
    else socket.destroy()
  }
}
