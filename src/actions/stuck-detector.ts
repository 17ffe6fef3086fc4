/** Whether an attempt gets on: `warn` says that it does not, `stop` that nothing more is done in it. */
export type StuckVerdict = 'ok' | 'warn' | 'stop'

/** So many errors in a row, or the same action so often on an unchanged page. */
export const STUCK_AFTER_ERRORS = 5
export const STUCK_AFTER_REPEATS = 3

/**
 * Counts, per block attempt, errors in a row and repetitions of one action on a page that does not change. The first time gives `warn`;
 * for an agent, which chooses its own actions, the next one gives `stop`, and that holds until the attempt ends. Steps that an author
 * wrote are only warned of.
 */
export class StuckDetector {
  readonly #isAgent: () => boolean
  #errors = 0
  #repeats = 0
  #lastKey: string | null = null
  #lastPage: string | null = null
  #agentWarnings = 0
  #reason: string | null = null
  #isStopped = false

  /** @param isAgent - whether an agent acts now */
  constructor(isAgent: () => boolean = () => false) {
    this.#isAgent = isAgent
  }

  /** Why the attempt was stopped; null: it was not. */
  get stopReason(): string | null {
    return this.#isStopped ? this.#reason : null
  }

  /** What the last verdict other than `ok` was about; null: there was none. */
  get reason(): string | null {
    return this.#reason
  }

  /** Whether the page has to be looked at for this action: only one that was just performed can be a repetition. */
  isRepetition(key: string): boolean {
    return key === this.#lastKey
  }

  /**
   * Takes the end of an action.
   * @param action.key - the same for the same action on the same target with the same value
   * @param action.page - fingerprint of the page afterwards; null: it was not looked at
   */
  note(action: { readonly key: string; readonly failed: boolean; readonly page: string | null }): StuckVerdict {
    this.#errors = action.failed ? this.#errors + 1 : 0
    const isSame = action.key === this.#lastKey && (this.#repeats < 2 || action.page === this.#lastPage)
    this.#repeats = isSame ? this.#repeats + 1 : 1
    this.#lastKey = action.key
    this.#lastPage = action.page
    if (this.#errors >= STUCK_AFTER_ERRORS) return this.#warn(`${this.#errors} errors in a row`)
    if (this.#repeats >= STUCK_AFTER_REPEATS) return this.#warn(`the same action ${this.#repeats} times on an unchanged page`)
    return 'ok'
  }

  #warn(reason: string): StuckVerdict {
    this.#reason = reason
    this.#errors = 0
    this.#repeats = 0
    if (!this.#isAgent()) return 'warn'
    this.#agentWarnings += 1 // it has to have had one itself: what steps were warned of before it is not its fault
    if (this.#agentWarnings < 2) return 'warn'
    this.#isStopped = true
    return 'stop'
  }
}
