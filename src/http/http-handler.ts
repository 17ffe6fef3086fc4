import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { securityHeaders } from './security-headers.js'
import { ViewerRoutes } from './viewer-routes.js'

/** What the handler needs of a `StreamingSupervisor`. */
export interface HttpStreaming {
  readonly basePath: string
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean
}

/** Options of {@link createHttpHandler}. */
export interface HttpHandlerOptions {
  readonly streaming: HttpStreaming
}

/** The library's part of a host's web server. */
export interface HttpHandler {
  /** Path below which everything is; set on the supervisor. */
  readonly basePath: string
  /** Whether a path belongs to this handler. */
  owns(pathname: string): boolean
  /** Answers a request, with 404 where there is nothing. */
  fetch(request: Request): Promise<Response>
  /** Takes a WebSocket upgrade; false: not ours, and the socket was left alone. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean
}

/**
 * The viewer page and the live view behind it, for any server that speaks web-standard `Request` and `Response`.
 *
 * @example
 * const handler = createHttpHandler({ streaming })
 * const server = createServer(toNodeListener(handler))
 * server.on('upgrade', (request, socket, head) => handler.upgrade(request, socket, head) || socket.destroy())
 */
export function createHttpHandler(options: HttpHandlerOptions): HttpHandler {
  const { streaming } = options
  const { basePath } = streaming
  const viewer = new ViewerRoutes()
  const owns = (pathname: string) => pathname.startsWith(`${basePath}/`)
  return {
    basePath,
    owns,
    async fetch(request) {
      const { pathname } = new URL(request.url)
      const answer = owns(pathname) ? await viewer.answer(request, pathname.slice(basePath.length)) : undefined
      return (
        answer ??
        Response.json({ error: { code: 'NOT_FOUND', message: 'There is nothing here' } }, { status: 404, headers: securityHeaders })
      )
    },
    upgrade: (request, socket, head) => streaming.handleUpgrade(request, socket, head),
  }
}
