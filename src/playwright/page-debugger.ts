import type { CDPSession, Page } from 'playwright-core'
import { type Clock, raceAbort, sleep } from '../runtime/index.js'

/** How long a page may take to answer before its script counts as one that does not yield. */
const ANSWER_WITHIN_MS = 100

/**
 * DevTools of one page, for what Playwright has no call for. Attached when the page opens: a page whose script does not yield lets nobody
 * attach any more.
 */
export class PageDebugger {
  readonly #session: Promise<CDPSession | null>
  readonly #clock: Clock

  constructor(page: Page, clock: Clock) {
    this.#clock = clock
    this.#session = page
      .context()
      .newCDPSession(page)
      .catch(() => null) // closed at once
  }

  async targetId(): Promise<string | null> {
    const session = await this.#session
    const answer = await session?.send('Target.getTargetInfo').catch(() => null) // closed meanwhile
    return answer?.targetInfo.targetId ?? null
  }

  /** Whether the page has one before it in its history. */
  async hasEarlierPage(signal: AbortSignal): Promise<boolean> {
    const session = await raceAbort(this.#session, signal)
    const history = session === null ? null : await raceAbort(session.send('Page.getNavigationHistory'), signal)
    return history === null || history.currentIndex > 0
  }

  /** Ends a navigation: one whose `goto` was given up otherwise still happens, and holds up every later action. */
  async stopLoading(): Promise<void> {
    await this.#bounded(async (session) => {
      await session.send('Page.stopLoading')
    })
  }

  /** Ends a script that does not yield; leaves a page alone that answers. */
  async stopScript(): Promise<void> {
    await this.#bounded(async (session) => {
      const answers = session.send('Runtime.evaluate', { expression: '0' }).then(() => true)
      answers.catch(() => {}) // the race may be over
      if (await Promise.race([answers, sleep(this.#clock, ANSWER_WITHIN_MS).then(() => false)])) return
      await session.send('Runtime.terminateExecution')
    })
  }

  /** A page that is gone, or hangs, keeps nobody waiting. */
  async #bounded(call: (session: CDPSession) => Promise<void>): Promise<void> {
    const session = await this.#session
    if (session === null) return
    const done = call(session).catch(() => {}) // closed meanwhile: there is nothing to stop
    await Promise.race([done, sleep(this.#clock, 5 * ANSWER_WITHIN_MS)])
  }
}
