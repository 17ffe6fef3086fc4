import { EventEmitter } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

/** A page of a {@link FakeChrome}, as far as the peers touch it. */
class FakeTab extends EventEmitter {
  async close(): Promise<void> {
    this.emit('close')
  }
}

/** A browser without a process, as the peers drive one: what runwright's own fake driver is to its pool. */
export class FakeChrome extends EventEmitter {
  #isAlive = true

  /** Its process ends: whoever listens hears of it at once. */
  crash(): void {
    this.#isAlive = false
    this.emit('disconnected')
  }

  async newPage(): Promise<FakeTab> {
    if (!this.#isAlive) throw new Error('The browser is gone')
    return new FakeTab()
  }

  async createBrowserContext(): Promise<{ newPage(): Promise<FakeTab>; close(): Promise<void> }> {
    if (!this.#isAlive) throw new Error('The browser is gone')
    return { newPage: () => this.newPage(), close: async () => {} }
  }

  async close(): Promise<void> {
    this.#isAlive = false
  }
}

export const SCRIPTED_FAILURE = 'Scripted launch failure'

/** Launches them, after a delay; the next launch can be made to fail. */
export class FakeChromeLauncher {
  readonly #launchMs: number
  readonly chromes: FakeChrome[] = []
  failNext = false

  constructor(launchMs = 0) {
    this.#launchMs = launchMs
  }

  async launch(): Promise<FakeChrome> {
    if (this.#launchMs > 0) await sleep(this.#launchMs)
    if (this.failNext) {
      this.failNext = false
      throw new Error(SCRIPTED_FAILURE)
    }
    const chrome = new FakeChrome()
    this.chromes.push(chrome)
    return chrome
  }
}
