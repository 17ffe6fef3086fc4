import type { CDPSession, Page } from 'playwright-core'
import { type Clock, raceAbort, sleep } from '../runtime/index.js'

/** How long a page may take to answer before its script counts as one that does not yield. */
const ANSWER_WITHIN_MS = 100

/** How often a script is told to end: one that waits for a dialog hears of it after that only. */
const STOP_ROUNDS = 2

/** Dialogs while a script is told to end that make it one that never does. */
const FLOOD = 3

/** Resolves in the page's next turn; unlike a timer's, it is not put off in a tab that nobody sees. */
const NEXT_TASK = `new Promise((resolve) => {
  const { port1, port2 } = new MessageChannel()
  port1.onmessage = () => { port1.close(); resolve(0) }
  port2.postMessage(0)
})`

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

  /**
   * One round trip through the page: what its handlers have begun until now (requests, navigations, tabs) is known when it answers.
   * A task queued in the page would say more, but Chromium draws first after an input, which costs some 10 ms.
   *
   * @returns its `readyState`; null when it is on its way elsewhere or does not answer within a moment
   */
  async catchUp(): Promise<string | null> {
    const session = await this.#session
    if (session === null) return null
    const answer = session
      .send('Runtime.evaluate', { expression: 'document.readyState', returnByValue: true })
      .then(({ result }) => (typeof result.value === 'string' ? result.value : null))
      .catch(() => null) // the document is another one by now
    return this.#within(answer, ANSWER_WITHIN_MS)
  }

  /** Evaluates an expression in the main frame: one round trip. A document that goes away meanwhile is followed once. */
  async evaluate<T>(expression: string, signal: AbortSignal): Promise<T> {
    const session = await raceAbort(this.#session, signal)
    if (session === null) throw new Error('Target page, context or browser has been closed')
    const ask = () => raceAbort(session.send('Runtime.evaluate', { expression, returnByValue: true }), signal)
    const { result, exceptionDetails } = await ask().catch((error: unknown) => {
      if (signal.aborted || !/navigated|context was destroyed|Cannot find context/i.test(String(error))) throw error
      return ask()
    })
    if (exceptionDetails !== undefined) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
    return result.value as T
  }

  /** Ends a navigation: one whose `goto` was given up otherwise still happens, and holds up every later action. */
  async stopLoading(): Promise<void> {
    await this.#bounded(async (session) => {
      await session.send('Page.stopLoading')
    })
  }

  /**
   * Ends a script that does not yield; leaves a page alone that answers. One that shows dialog after dialog cannot be ended by Chromium:
   * its tab is.
   *
   * @param dialogCount - how many dialogs the page has shown so far
   */
  async stopScript(dialogCount: () => number): Promise<void> {
    await this.#bounded(async (session) => {
      const before = dialogCount()
      for (let round = 0; round < STOP_ROUNDS; round += 1) {
        // A task of the page's own: a script that shows dialogs may let DevTools in, but nothing else.
        const answers = session.send('Runtime.evaluate', { expression: NEXT_TASK, awaitPromise: true }).then(() => true)
        answers.catch(() => {}) // the race may be over
        if ((await this.#within(answers, ANSWER_WITHIN_MS)) === true) return
        await this.#within(
          session.send('Runtime.terminateExecution').catch(() => {}), // one is on its way
          ANSWER_WITHIN_MS,
        )
      }
      if (dialogCount() - before >= FLOOD) await session.send('Page.crash')
    })
  }

  /** A page that is gone, or hangs, keeps nobody waiting. */
  async #bounded(call: (session: CDPSession) => Promise<void>): Promise<void> {
    const session = await this.#session
    if (session === null) return
    const done = call(session).catch(() => {}) // closed meanwhile: there is nothing to stop
    await this.#within(done, 5 * ANSWER_WITHIN_MS)
  }

  /** Null when it takes longer. */
  async #within<T>(work: Promise<T>, ms: number): Promise<T | null> {
    const over = new AbortController()
    const timer = sleep(this.#clock, ms, over.signal).then(
      () => null,
      () => null, // the work was faster
    )
    try {
      return await Promise.race([work, timer])
    } finally {
      over.abort()
    }
  }
}
