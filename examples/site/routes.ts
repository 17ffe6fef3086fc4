import { setTimeout as sleep } from 'node:timers/promises'
import { exportFile, parseExport } from './export.js'
import { attachment, HttpProblem, html, json, redirect, type SiteRequest, type SiteResponse } from './http.js'
import { findInvoice, invoicePage } from './invoices.js'
import * as pages from './pages.js'
import { invoicePdf } from './pdf.js'
import { cookieHeader, rememberCookie, type SiteSession, type SiteSessions, safeNext, sessionCookie } from './sessions.js'

export interface Site {
  readonly sessions: SiteSessions
  readonly delayMs: number
  readonly user: { readonly username: string; readonly password: string }
  /** Aborted when the site closes. */
  readonly signal: AbortSignal
}

interface SignedInRequest extends SiteRequest {
  readonly session: SiteSession
}

type Handler<Request> = (request: Request, site: Site) => SiteResponse | Promise<SiteResponse>

interface Route<Request> {
  readonly method: 'GET' | 'POST'
  readonly path: RegExp
  readonly answer: Handler<Request>
}

const rememberSeconds = 30 * 24 * 60 * 60

/** For everybody. */
export const openRoutes: readonly Route<SiteRequest>[] = [
  { method: 'GET', path: /^\/sign-in$/, answer: showSignIn },
  { method: 'POST', path: /^\/sign-in$/, answer: signIn },
  { method: 'POST', path: /^\/sign-out$/, answer: signOut },
]

/** For those who are signed in. */
export const signedInRoutes: readonly Route<SignedInRequest>[] = [
  { method: 'GET', path: /^\/$/, answer: ({ session }) => html(pages.homePage(session)) },
  { method: 'GET', path: /^\/invoices$/, answer: ({ session }) => html(pages.invoicesPage(session)) },
  { method: 'GET', path: /^\/api\/invoices$/, answer: listInvoices },
  { method: 'GET', path: /^\/invoices\/(INV-\d+)$/, answer: showInvoice },
  { method: 'GET', path: /^\/invoices\/(INV-\d+)\/pdf$/, answer: downloadInvoice },
  { method: 'GET', path: /^\/export$/, answer: ({ session }) => html(pages.exportPage(session)) },
  { method: 'POST', path: /^\/export$/, answer: createExport },
  { method: 'GET', path: /^\/exports\/(EXP-\d+)$/, answer: showExport },
  { method: 'GET', path: /^\/exports\/(EXP-\d+)\/file$/, answer: downloadExport },
]

function showSignIn({ session, url, cookies }: SiteRequest): SiteResponse {
  const next = safeNext(url.searchParams.get('next'))
  if (session) return redirect(next)
  const username = cookies.get(rememberCookie) ?? ''
  const notice = url.searchParams.has('signed-out') ? { notice: 'You have signed out.' } : {}
  return html(pages.signInPage({ next, username, ...notice }))
}

async function signIn(request: SiteRequest, { sessions, user }: Site): Promise<SiteResponse> {
  const form = await request.form()
  const next = safeNext(form.get('next'))
  const username = form.get('username')?.trim() ?? ''
  if (username !== user.username || form.get('password') !== user.password) {
    return html(pages.signInPage({ next, username, error: 'The user name or the password is wrong.' }), 401)
  }
  sessions.close(request.session)
  const session = sessions.open(username)
  const remember = form.has('remember') ? [cookieHeader(rememberCookie, username, rememberSeconds)] : []
  return redirect(next, [cookieHeader(sessionCookie, session.token), ...remember])
}

function signOut({ session }: SiteRequest, { sessions }: Site): SiteResponse {
  sessions.close(session)
  return redirect('/sign-in?signed-out=1', [cookieHeader(sessionCookie, '', 0)])
}

async function listInvoices({ url }: SignedInRequest, { delayMs, signal }: Site): Promise<SiteResponse> {
  await sleep(delayMs, undefined, { signal })
  return json(invoicePage(Number(url.searchParams.get('page') ?? 1)))
}

function invoiceOf({ captured: [id = ''] }: SignedInRequest) {
  const invoice = findInvoice(id)
  if (!invoice) throw new HttpProblem(404, `There is no invoice ${id}.`)
  return invoice
}

function showInvoice(request: SignedInRequest): SiteResponse {
  return html(pages.invoiceDetailPage(request.session, invoiceOf(request)))
}

function downloadInvoice(request: SignedInRequest): SiteResponse {
  const invoice = invoiceOf(request)
  return attachment(`invoice-${invoice.id}.pdf`, 'application/pdf', invoicePdf(invoice))
}

async function createExport(request: SignedInRequest): Promise<SiteResponse> {
  const { session } = request
  const parsed = parseExport(`EXP-${session.exports.length + 1}`, await request.form())
  if ('errors' in parsed) return html(pages.exportPage(session, parsed.errors), 422)
  session.exports.push(parsed.request)
  return redirect(`/exports/${parsed.request.id}`)
}

function exportOf({ captured: [id = ''], session }: SignedInRequest) {
  const found = session.exports.find((request) => request.id === id)
  if (!found) throw new HttpProblem(404, `There is no export ${id}.`)
  return found
}

function showExport(request: SignedInRequest): SiteResponse {
  return html(pages.exportDonePage(request.session, exportOf(request)))
}

function downloadExport(request: SignedInRequest): SiteResponse {
  const { fileName, contentType, body } = exportFile(exportOf(request))
  return attachment(fileName, contentType, body)
}
