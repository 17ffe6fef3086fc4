import type { Dialog } from 'playwright-core'
import type { DialogAnswer, PageDialog } from '../sessions/ports.js'

/** Dialogs kept for whoever asks; a page may open them for ever. */
const MOST_KEPT = 20
const LONGEST_MESSAGE = 1_000

/**
 * Answers the dialogs of one page, each at once: while one is open, its page answers nothing else. Those of a pop-up that nobody has
 * acted on yet count as its opener's.
 */
export class PageDialogs {
  #answer: DialogAnswer | null = null
  #seen: PageDialog[] = []
  #opener: PageDialogs | null = null
  #count = 0

  /** How many there were. */
  get count(): number {
    return this.#count
  }

  /** Null: dismissed. */
  answerWith(answer: DialogAnswer | null): void {
    this.#answer = answer
    this.#opener = null
  }

  /** The dialogs since the last call. */
  take(): readonly PageDialog[] {
    return this.#seen.splice(0)
  }

  /** It is a pop-up of this page. */
  follow(opener: PageDialogs): void {
    if (opener !== this) this.#opener = opener
  }

  handle(dialog: Dialog): void {
    this.#count += 1
    if (this.#opener === null) this.#answerOne(dialog)
    else this.#opener.handle(dialog)
  }

  #answerOne(dialog: Dialog): void {
    const type = dialog.type() as PageDialog['type']
    const accepted = type === 'beforeunload' || this.#answer?.accept === true // who leaves a page means to leave it
    if (this.#seen.length < MOST_KEPT) this.#seen.push({ type, message: dialog.message().slice(0, LONGEST_MESSAGE), accepted })
    const text = type === 'prompt' ? (this.#answer?.text ?? dialog.defaultValue()) : undefined
    const answered = accepted ? dialog.accept(text) : dialog.dismiss()
    answered.catch(() => {}) // its page is gone, and it with it
  }
}
