import { createServer, type IncomingMessage, type Server } from 'node:http'
import { HttpProblem, html, json, readForm, redirect, type SiteResponse } from './http.js'
import { problemPage } from './pages.js'
import { openRoutes, type Site, signedInRoutes } from './routes.js'
import { parseCookies, type SiteSession, SiteSessions } from './sessions.js'
import { findAsset } from './templates.js'

/** The one user of the example site. */
export const EXAMPLE_USER = { username: 'ada', password: 'correct horse battery' } as const

export interface ExampleSiteOptions {
  /** @default 0, a free port */
  readonly port?: number
  /** How long the invoice table's data takes, in milliseconds. @default 150 */
  readonly delayMs?: number
  /** Changes each page before it is sent: for what a workflow does when the site was made anew. By default none. */
  readonly changePage?: (html: string) => string
}

export interface ExampleSite extends AsyncDisposable {
  /** Such as `http://127.0.0.1:41327`. */
  readonly origin: string
  /** Stops listening and ends all connections, also idle ones. Calling it again does nothing. */
  close(): Promise<void>
}

/**
 * Starts the example site on loopback.
 * @throws {Error} with code `EADDRINUSE`, naming the port, when something listens there already.
 */
export async function startExampleSite({ port = 0, delayMs = 150, changePage }: ExampleSiteOptions = {}): Promise<ExampleSite> {
  const closing = new AbortController()
  const site: Site = { sessions: new SiteSessions(), delayMs, user: EXAMPLE_USER, signal: closing.signal }
  const server = createServer(async (request, response) => {
    const { status, headers, body: page } = await answer(request, site)
    const isPage = String(headers['content-type']).startsWith('text/html')
    const body = isPage && changePage !== undefined ? changePage(String(page)) : page
    response.writeHead(status, { ...commonHeaders, ...headers, 'content-length': Buffer.byteLength(body) })
    response.end(request.method === 'HEAD' ? undefined : body)
  })
  const listeningPort = await listen(server, port)
  let closed: Promise<void> | undefined
  const close = () => {
    closing.abort()
    closed ??= new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
    return closed
  }
  return { origin: `http://127.0.0.1:${listeningPort}`, close, [Symbol.asyncDispose]: close }
}

const commonHeaders = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EADDRINUSE' ? 'something else listens there' : cause.message
      reject(Object.assign(new Error(`The example site cannot listen on 127.0.0.1:${port}: ${why}`, { cause }), { code: cause.code, port }))
    })
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      resolve(address !== null && typeof address === 'object' ? address.port : port)
    })
  })
}

async function answer(incoming: IncomingMessage, site: Site): Promise<SiteResponse> {
  const url = new URL(`http://127.0.0.1${incoming.url?.startsWith('/') ? incoming.url : '/'}`)
  const cookies = parseCookies(incoming.headers.cookie)
  const session = site.sessions.find(cookies)
  const method = incoming.method === 'HEAD' ? 'GET' : (incoming.method ?? 'GET')
  const request = { method, url, cookies, form: () => readForm(incoming) }
  try {
    const asset = findAsset(url.pathname.slice(1))
    if (asset) return asset
    const open = match(openRoutes, method, url.pathname)
    if (open) return await open.route.answer({ ...request, session, captured: open.captured }, site)
    if (!session) return refuse(url)
    const found = match(signedInRoutes, method, url.pathname)
    if (found) return await found.route.answer({ ...request, session, captured: found.captured }, site)
    throw new HttpProblem(404, `There is no page ${url.pathname}.`)
  } catch (error) {
    return problem(error, session)
  }
}

function match<R extends { method: string; path: RegExp }>(routes: readonly R[], method: string, path: string) {
  for (const route of routes) {
    const found = route.path.exec(path)
    if (found && route.method === method) return { route, captured: found.slice(1) }
  }
  return undefined
}

/** A page leads to sign-in and back; data just says no, since a script cannot sign in. */
function refuse(url: URL): SiteResponse {
  if (url.pathname.startsWith('/api/')) return json({ error: 'Sign in first.' }, 401)
  return redirect(`/sign-in?next=${encodeURIComponent(url.pathname + url.search)}`)
}

function problem(error: unknown, session: SiteSession | undefined): SiteResponse {
  if (error instanceof HttpProblem) {
    return html(problemPage(session, error.status === 404 ? 'Not found' : 'That did not work', error.message), error.status)
  }
  return html(problemPage(session, 'Something broke', error instanceof Error ? error.message : String(error)), 500)
}
