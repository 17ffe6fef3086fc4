import type { BrowserContext, CDPSession, Frame, Page } from 'playwright-core'
import type { NetworkPolicy, NetworkRefusal } from '../sessions/ports.js'

/** What DevTools tells of a request that it holds. */
interface PausedRequest {
  readonly requestId: string
  readonly request: { readonly url: string }
}

const EVERYTHING = { patterns: [{ urlPattern: '*' }] }

/**
 * Judges the requests of a browser that nobody launched behind a proxy of ours, through DevTools' `Fetch`: navigations, sub-resources,
 * every hop of a redirect, and what workers and service workers ask for. One session on the whole browser hears of all documents and
 * workers that begin from then on; those that are there already are heard of page by page, until they go.
 *
 * Not covered: WebSockets, WebTransport, WebRTC, DNS look-ups and what the browser asks for by itself; workers that are running when it
 * begins; a name that comes to a forbidden address, as DevTools tells names only; everything once we have detached. It holds for the whole
 * browser while it lasts, tabs of other people included.
 */
export class RequestGuard {
  readonly #context: BrowserContext
  #policy: NetworkPolicy | null = null
  #sessions: CDPSession[] = []

  constructor(context: BrowserContext) {
    this.#context = context
  }

  /** Takes another policy; null ends it. */
  async set(policy: NetworkPolicy | null): Promise<void> {
    const wasOn = this.#policy !== null
    this.#policy = policy
    if (policy === null) await this.#end()
    else if (!wasOn) await this.#begin()
  }

  async #begin(): Promise<void> {
    const browser = this.#context.browser()
    if (browser === null) throw new Error('Target page, context or browser has been closed')
    await this.#watch(await browser.newBrowserCDPSession())
    const pages = this.#context.pages().map(async (page) => {
      const session = await this.#context.newCDPSession(page)
      await this.#watch(session)
      this.#untilItLeaves(page, session)
      await Promise.all(page.frames().map((frame) => this.#watchFrame(page, frame)))
    })
    await Promise.all(pages)
  }

  /** A frame of another site has a process, and so a session, of its own. */
  async #watchFrame(page: Page, frame: Frame): Promise<void> {
    if (frame === page.mainFrame()) return
    const session = await this.#context.newCDPSession(frame).catch(() => null) // it shares its parent's, which is watched
    if (session === null) return
    await this.#watch(session)
    this.#untilItLeaves(page, session)
  }

  async #watch(session: CDPSession): Promise<void> {
    this.#sessions.push(session)
    session.on('Fetch.requestPaused', (paused) => this.#judge(session, paused))
    await session.send('Fetch.enable', EVERYTHING)
  }

  /** Its next document is heard of by the session on the whole browser. */
  #untilItLeaves(page: Page, session: CDPSession): void {
    const onNavigated = (frame: Frame) => {
      if (frame !== page.mainFrame()) return
      page.off('framenavigated', onNavigated)
      this.#sessions = this.#sessions.filter((one) => one !== session)
      session.detach().catch(() => {}) // it went with its page
    }
    page.on('framenavigated', onNavigated)
  }

  #judge(session: CDPSession, { requestId, request }: PausedRequest): void {
    const refusal = this.#refusalOf(request.url)
    const answer =
      refusal === null
        ? session.send('Fetch.continueRequest', { requestId })
        : session.send('Fetch.failRequest', { requestId, errorReason: 'BlockedByClient' })
    answer.catch(() => {}) // nobody waits for it any more
  }

  #refusalOf(url: string): NetworkRefusal | null {
    const policy = this.#policy
    const place = placeOf(url)
    if (policy === null || place === null) return null
    const refusal = judge(policy, place)
    if (refusal !== null) policy.onBlocked({ ...place, ...refusal, url })
    return refusal
  }

  async #end(): Promise<void> {
    const sessions = this.#sessions.splice(0)
    await Promise.all(sessions.map((session) => session.detach().catch(() => {}))) // gone with its page
  }
}

/** A policy that throws refuses: who guards must not fail open. */
function judge(policy: NetworkPolicy, place: { readonly host: string; readonly port: number }): NetworkRefusal | null {
  try {
    return policy.check(place)
  } catch (error) {
    return { rule: 'policy', reason: `the policy failed: ${error instanceof Error ? error.message : String(error)}` }
  }
}

const PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'ws:': 80, 'https:': 443, 'wss:': 443, 'ftp:': 21 }

/** Where a request goes on the network; null for one that does not (data:, blob:, about:). Pure. */
export function placeOf(url: string): { readonly host: string; readonly port: number } | null {
  if (!URL.canParse(url)) return null
  const { protocol, hostname, port } = new URL(url)
  const usual = PORTS[protocol]
  if (usual === undefined) return null
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? usual : Number(port) }
}
