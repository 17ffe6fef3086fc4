import type { DialogAnswer, PageDialog } from '../sessions/ports.js'

const MOST_KEPT = 20

/** The dialogs of a scripted page: answered as the driver was told, and kept until they are taken. */
export class FakeDialogs {
  #answer: DialogAnswer | null = null
  #seen: PageDialog[] = []

  answerWith(answer: DialogAnswer | null): void {
    this.#answer = answer
  }

  take(): readonly PageDialog[] {
    return this.#seen.splice(0)
  }

  /** What the page's script gets: the text of a prompt, whether a confirm was accepted; null and false when dismissed. */
  show(type: PageDialog['type'], message: string): string | boolean | null {
    const accepted = this.#answer?.accept ?? false
    if (this.#seen.length < MOST_KEPT) this.#seen.push({ type, message, accepted })
    if (type === 'prompt') return accepted ? (this.#answer?.text ?? '') : null
    return accepted
  }
}
