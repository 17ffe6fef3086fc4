import type { SessionEnder } from './session-ender.js'
import type { LiveSession } from './session-registry.js'

/** Listens for the death of browsers and displays. */
export class BrowserWatch {
  readonly #ender: SessionEnder

  constructor(parts: { readonly ender: SessionEnder }) {
    this.#ender = parts.ender
  }

  /**
   * From here on the first sign of death of the browser, or of the display under it, ends the session as crashed: its holder's signal
   * aborts in the same tick.
   */
  attach(live: LiveSession): void {
    live.untie.push(live.browser.onLost((reason) => this.lost(live, reason)))
    if (live.display !== null) live.untie.push(live.display.onExit((reason) => this.lost(live, `its display is gone: ${reason}`)))
  }

  lost(live: LiveSession, reason: string): void {
    this.#ender.lost(live, reason)
  }
}
