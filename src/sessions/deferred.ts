/** A promise that is settled from outside. */
export class Deferred {
  readonly promise: Promise<void>
  #resolve = () => {}

  constructor() {
    this.promise = new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  resolve(): void {
    this.#resolve()
  }
}
