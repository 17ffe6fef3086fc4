/** Tells on stderr what is being measured: one line that changes on a terminal, else a line each. */
export class Progress {
  readonly #stream = process.stderr
  #isOpen = false

  show(text: string): void {
    this.#stream.write(this.#stream.isTTY ? `\r\x1b[2K${text}` : `${text}\n`)
    this.#isOpen = this.#stream.isTTY === true
  }

  clear(): void {
    if (this.#isOpen) this.#stream.write('\r\x1b[2K')
    this.#isOpen = false
  }
}
