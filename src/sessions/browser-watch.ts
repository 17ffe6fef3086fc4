import type { CloseReason } from '../storage/tables/browser-sessions.js'
import type { SessionEnder } from './session-ender.js'
import type { LiveSession } from './session-registry.js'

/** Listens for the death of browsers and displays. */
export class BrowserWatch {
  readonly #ender: SessionEnder
  readonly #relaunch: (live: LiveSession, reason: string) => boolean

  constructor(parts: {
    readonly ender: SessionEnder
    /** Takes over a session whose browser is to be replaced; false: it ends. */
    readonly relaunch: (live: LiveSession, reason: string) => boolean
  }) {
    this.#ender = parts.ender
    this.#relaunch = parts.relaunch
  }

  /**
   * From here on the first sign of death of the browser, or of the display under it, ends the session as crashed (as disconnected, where
   * somebody else has started the browser: it may well live on), or has its browser replaced: its holder's signal aborts in the same tick.
   */
  attach(live: LiveSession): void {
    live.untie.push(live.browser.onLost((reason) => this.lost(live, reason)))
    if (live.display !== null) live.untie.push(live.display.onExit((reason) => this.lost(live, `its display is gone: ${reason}`)))
  }

  lost(live: LiveSession, reason: string, closeReason: CloseReason = live.isAttached ? 'disconnected' : 'crashed'): void {
    if (!this.#relaunch(live, reason)) this.#ender.lost(live, reason, closeReason)
  }
}
