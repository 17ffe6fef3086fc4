import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Clock, Ids, Logger } from '../runtime/index.js'
import type { Admission, AdmissionDesk, Grant } from './admission.js'
import { type CloseCode, closeCodes, type Refusal } from './close-codes.js'
import { isOriginAllowed } from './origin.js'
import { type LocatedStream, locateStream } from './stream-path.js'
import type { StreamingJournal } from './streaming-journal.js'
import { offeredSecrets, selectProtocol } from './subprotocols.js'
import type { ViewScope, ViewTokens } from './view-tokens.js'
import { ViewerConnection } from './viewer-connection.js'
import type { ViewerRegistry } from './viewer-registry.js'

/** A viewer's messages are small; a paste, which is not carried anyway, may be larger. */
const MAX_FRAME_BYTES = 2 * 1024 * 1024
const CLOSE_GRACE_MS = 1_000

export interface GatewayOptions {
  readonly admission: AdmissionDesk
  readonly viewers: ViewerRegistry
  readonly tokens: ViewTokens
  readonly journal: StreamingJournal
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  readonly basePath: string
  readonly allowedOrigins: readonly string[]
  readonly isRunning: () => boolean
}

/** Lets viewers in over the host's own HTTP server: path, origin, token, then the bridge. */
export class Gateway {
  readonly #options: GatewayOptions
  readonly #scopes = new WeakMap<IncomingMessage, ViewScope>()
  readonly #server: WebSocketServer

  constructor(options: GatewayOptions) {
    this.#options = options
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: MAX_FRAME_BYTES,
      handleProtocols: (offered, request) => selectProtocol(offered, this.#scopes.get(request) ?? null),
    })
  }

  /** Takes an upgrade request whose path is ours; leaves the socket alone and returns false when it is not. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const located = locateStream(request.url ?? '', this.#options.basePath)
    if (located === undefined) return false
    socket.on('error', () => socket.destroy()) // for good: a client may hang up while its token is looked at, or while it is told no
    if (!this.#options.isRunning()) refuseUpgrade(socket, 503, 'Service Unavailable')
    else if (!isOriginAllowed(request.headers, this.#options.allowedOrigins)) refuseUpgrade(socket, 403, 'Forbidden')
    else {
      this.#receive(request, socket, head, located).catch((error: unknown) => {
        this.#options.logger.error('a viewer could not be let in', { browserSessionId: located.browserSessionId, error })
        socket.destroy()
      })
    }
    return true
  }

  async #receive(request: IncomingMessage, socket: Duplex, head: Buffer, located: LocatedStream): Promise<void> {
    const { browserSessionId, query } = located
    const origin = request.headers.origin ?? null
    const admission = await this.#options.admission.admit({ browserSessionId, origin, secrets: offeredSecrets(request, query) })
    if (socket.destroyed) return this.#abandon(admission)
    if ('refusal' in admission) return this.#refuse(request, socket, head, admission, located)
    this.#scopes.set(request, admission.grant.scope)
    // ws answers a malformed upgrade itself and calls nobody, so the ticket's grace starts here unless the bridge takes over
    let isBridged = false
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      isBridged = true
      this.#bridge(webSocket, admission.grant)
    })
    if (!isBridged) await this.#abandon(admission)
  }

  #bridge(webSocket: WebSocket, grant: Grant): void {
    const { viewers, clock, ids, journal } = this.#options
    const { organizationId, browserSessionId, ticketId, scope } = grant
    const viewerId = ids.next('view')
    const viewer = { browserSessionId, viewerId, scope }
    let joined: Promise<unknown> | undefined
    const connection = new ViewerConnection({
      webSocket,
      rfbSocketPath: grant.running.display.rfbSocketPath,
      isInputAllowed: () => scope === 'control',
      clock,
      onOpen: () => {
        joined = this.#record(() => journal.commit({ organizationId, type: 'stream.viewer_joined', payload: viewer }))
      },
      onClose: (code) => {
        const wasReplaced = !viewers.remove(viewerId)
        if (ticketId !== null && !wasReplaced) void this.#record(() => this.#options.tokens.startGrace(ticketId))
        void joined?.then(() =>
          this.#record(() => journal.commit({ organizationId, type: 'stream.viewer_left', payload: { ...viewer, code } })),
        )
      },
    })
    const hasRoom = viewers.hasRoom(browserSessionId, ticketId) // again: others may have come while the token was being used up
    viewers.add({ viewerId, browserSessionId, viewTokenId: grant.viewTokenId, ticketId, scope, since: clock.now(), connection })
    if (!this.#options.isRunning()) connection.close(closeCodes.closing, 'the host is closing')
    else if (!hasRoom) connection.close(closeCodes.tooManyViewers, 'as many viewers as there may be')
  }

  /** A page can read the code of a socket that was opened and closed, and nothing of an upgrade that was refused. */
  #refuse(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    admission: { readonly refusal: Refusal; readonly organizationId: string | null },
    { browserSessionId }: LocatedStream,
  ): void {
    const { refusal, organizationId } = admission
    this.#options.logger.info('a viewer was refused', { browserSessionId, ...refusal })
    // a viewer that waits for its display asks again and again; that is no news
    if (organizationId !== null && refusal.code !== closeCodes.unknownSession) {
      const payload = { browserSessionId, ...refusal }
      void this.#record(() => this.#options.journal.commit({ organizationId, type: 'stream.viewer_refused', payload }))
    }
    if (request.headers.origin === undefined) {
      refuseUpgrade(socket, ...statusOf(refusal.code))
      return
    }
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('error', () => {}) // it is being closed anyway
      webSocket.close(refusal.code, refusal.reason)
      const timer = this.#options.clock.setTimer(() => webSocket.terminate(), CLOSE_GRACE_MS)
      webSocket.once('close', () => timer.cancel())
    })
  }

  /** The viewer hung up before its view opened: its ticket, if it has one, lives on for a while. */
  async #abandon(admission: Admission): Promise<void> {
    if ('grant' in admission && admission.grant.ticketId !== null) await this.#options.tokens.startGrace(admission.grant.ticketId)
  }

  /** Watching goes on when a record of it cannot be written. */
  async #record(write: () => Promise<unknown>): Promise<void> {
    try {
      await write()
    } catch (error) {
      this.#options.logger.error('an event of a live view could not be recorded', { error })
    }
  }
}

const statusOf = (code: CloseCode): [number, string] => {
  if (code === closeCodes.forbidden) return [403, 'Forbidden']
  if (code === closeCodes.unknownSession) return [404, 'Not Found']
  if (code === closeCodes.sessionEnded) return [410, 'Gone']
  if (code === closeCodes.tooManyViewers) return [429, 'Too Many Requests']
  return [401, 'Unauthorized']
}

function refuseUpgrade(socket: Duplex, status: number, text: string): void {
  socket.once('finish', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status} ${text}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
