import type { StartedBrowser } from './browser-start.js'
import type { BrowserWatch } from './browser-watch.js'
import type { SessionPoolSettings } from './options.js'
import type { SessionLife } from './session-life.js'
import type { LiveSession, SessionRegistry } from './session-registry.js'
import { createSessionView } from './session-view.js'

export interface ArrivalParams {
  readonly organizationId: string
  readonly browserSessionId: string
  readonly started: StartedBrowser
  readonly life: SessionLife
  /** Whether somebody else started its browser. */
  readonly isAttached: boolean
  readonly isDetached?: boolean
  /** Fence of the session's last lease. */
  readonly fence: number
  /** Listeners of the launch, to be untied: from here on the session's own hear of a loss. */
  readonly untie: (() => void)[]
}

/** Makes a session live whose row says `running` since this very tick. */
export class SessionArrival {
  readonly #settings: Pick<SessionPoolSettings, 'streaming' | 'logger'>
  readonly #registry: SessionRegistry
  readonly #watch: BrowserWatch

  constructor(parts: {
    readonly settings: Pick<SessionPoolSettings, 'streaming' | 'logger'>
    readonly registry: SessionRegistry
    readonly watch: BrowserWatch
  }) {
    this.#settings = parts.settings
    this.#registry = parts.registry
    this.#watch = parts.watch
  }

  arrive(params: ArrivalParams): LiveSession {
    const { streaming, logger } = this.#settings
    const { organizationId, browserSessionId, life, fence, untie, isAttached, isDetached = false } = params
    const { browser, network, display, directory, keeps, urlFailure } = params.started
    const live: LiveSession = {
      browserSessionId,
      organizationId,
      browser,
      network,
      isAttached,
      isDetached,
      guarding: Promise.resolve(),
      display,
      directory,
      keeps,
      urlFailure,
      life,
      fence,
      lease: undefined,
      untie: [],
    }
    this.#registry.add(live)
    this.#watch.attach(live)
    for (const off of untie.splice(0)) off()
    try {
      if (streaming !== undefined) live.untie.push(streaming.registerView(browserSessionId, createSessionView(browserSessionId, browser)))
    } catch (error) {
      logger.warn('a session has no view', { browserSessionId, error })
    }
    return live
  }

  /** Its browser died before it was live. */
  lost(live: LiveSession, reason: string): void {
    this.#watch.lost(live, reason)
  }
}
