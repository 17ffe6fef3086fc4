import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { HttpHandler } from './http-handler.js'

/** Mounts in `node:http`, and as a middleware where there is a `next`. */
export type NodeListener = (request: IncomingMessage, response: ServerResponse, next?: (error?: unknown) => void) => void

/** A listener for `node:http` (and Express or Connect: what is not ours goes to `next`). */
export function toNodeListener(handler: HttpHandler): NodeListener {
  return (request, response, next) => {
    const url = urlOf(request)
    if (request.method === 'TRACE' || request.method === 'CONNECT' || request.method === 'TRACK') {
      response.writeHead(405).end() // methods of which a web-standard request cannot be made
      return
    }
    if (url === undefined || (next !== undefined && !handler.owns(url.pathname))) {
      if (next !== undefined) next()
      else response.writeHead(400).end()
      return
    }
    respond(handler, request, url, response).catch((error: unknown) => {
      if (!response.headersSent && next !== undefined) return next(error)
      if (!response.headersSent) response.writeHead(500)
      response.end()
      return undefined
    })
  }
}

async function respond(handler: HttpHandler, request: IncomingMessage, url: URL, response: ServerResponse): Promise<void> {
  const answer = await handler.fetch(webRequest(request, url))
  response.writeHead(answer.status, Object.fromEntries(answer.headers))
  if (answer.body === null) response.end()
  else await pipeline(Readable.fromWeb(answer.body as import('node:stream/web').ReadableStream), response)
}

function webRequest(request: IncomingMessage, url: URL): Request {
  const headers = new Headers()
  for (const [name, value] of Object.entries(request.headers)) {
    for (const one of [value ?? []].flat()) headers.append(name, one)
  }
  const method = request.method ?? 'GET'
  if (method === 'GET' || method === 'HEAD') return new Request(url, { method, headers })
  return new Request(url, { method, headers, body: Readable.toWeb(request) as ReadableStream, duplex: 'half' } as RequestInit)
}

/** The path decides; a Host header that makes no address is not worth an exception. */
function urlOf(request: IncomingMessage): URL | undefined {
  const path = request.url ?? '/'
  if (!path.startsWith('/')) return undefined
  const base = `http://${request.headers.host ?? 'localhost'}`
  return URL.canParse(base) && URL.canParse(base + path) ? new URL(base + path) : undefined
}
