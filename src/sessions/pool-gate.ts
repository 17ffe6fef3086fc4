import { PoolDrainingError } from '../errors/index.js'

/** Whether this host still gives out sessions. */
export class PoolGate {
  readonly #hostId: string
  #isDraining = false

  constructor(settings: { readonly hostId: string }) {
    this.#hostId = settings.hostId
  }

  get isDraining(): boolean {
    return this.#isDraining
  }

  close(): void {
    this.#isDraining = true
  }

  open(): void {
    this.#isDraining = false
  }

  /** @throws {PoolDrainingError} `POOL_DRAINING` */
  assertOpen(): void {
    if (this.#isDraining) throw new PoolDrainingError(this.#hostId)
  }
}
