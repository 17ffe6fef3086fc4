import { type Clock, type Logger, withDeadline } from '../runtime/index.js'
import { limitReached, type RecycleOptions, reasonFor, watchesMemory } from './recycling.js'
import type { LiveSession } from './session-registry.js'
import type { SessionRetirer } from './session-retirer.js'
import type { SessionSanitizer } from './session-sanitizer.js'

const MEASURE_LIMIT_MS = 2_000

/** Replaces what is worn out between two leases: the context (tabs and caches; the profile stays) before the browser. */
export class SessionRecycler {
  readonly #settings: { readonly clock: Clock; readonly logger: Logger; readonly recycle: RecycleOptions }
  readonly #sanitizer: SessionSanitizer
  readonly #retirer: SessionRetirer

  constructor(parts: {
    readonly settings: { readonly clock: Clock; readonly logger: Logger; readonly recycle: RecycleOptions }
    readonly sanitizer: SessionSanitizer
    readonly retirer: SessionRetirer
  }) {
    this.#settings = parts.settings
    this.#sanitizer = parts.sanitizer
    this.#retirer = parts.retirer
  }

  /**
   * A lease is about to be given back. If this use wears the browser out, the session is out of the race before the write that frees it,
   * so that continuous load cannot keep it alive.
   */
  leaseEnding(live: LiveSession): void {
    const wear = this.#wear(live, { ofBrowser: true, memoryBytes: null })
    const limit = limitReached(this.#settings.recycle.browser, { ...wear, uses: wear.uses + 1 })
    if (limit !== null) live.life.unfit ??= reasonFor(limit)
  }

  /** A lease is over. */
  leaseEnded(live: LiveSession): void {
    live.life.uses += 1
    live.life.contextUses += 1
    if (live.life.isUnclean) live.life.unfit ??= 'tainted'
    if (watchesMemory(this.#settings.recycle)) live.life.measuring = this.measure(live)
    this.retireIfWorn(live)
  }

  /** Takes the session out of use when its browser has reached its uses or its age. Memory is for the context to give back first. */
  retireIfWorn(live: LiveSession): void {
    const { life } = live
    const limit = limitReached(this.#settings.recycle.browser, this.#wear(live, { ofBrowser: true, memoryBytes: null }))
    if (limit !== null) life.unfit ??= reasonFor(limit)
    this.#retirer.follow(live)
  }

  /**
   * Before a session is handed out, under its new lease: a worn context is replaced; a browser whose memory is above its limit even so
   * is unfit. Resolves to whether the session may be used.
   */
  async checkOut(live: LiveSession): Promise<boolean> {
    const { context, browser } = this.#settings.recycle
    // the tabs of a browser that somebody else has started are not ours to close
    if (live.isAttached || (context === undefined && browser?.maxMemoryMb === undefined)) return true
    const { life } = live
    await life.measuring
    const { memoryBytes } = life
    const isWorn = limitReached(context, this.#wear(live, { ofBrowser: false, memoryBytes })) !== null
    const isTooBig = limitReached({ maxMemoryMb: browser?.maxMemoryMb }, this.#wear(live, { ofBrowser: true, memoryBytes })) !== null
    if (!isWorn && !isTooBig) return true
    if (!(await this.#replaceContext(live))) return false
    if (browser?.maxMemoryMb === undefined) return true
    await this.measure(live)
    return limitReached({ maxMemoryMb: browser.maxMemoryMb }, this.#wear(live, { ofBrowser: true, memoryBytes: life.memoryBytes })) === null
  }

  /** Reads the memory of its processes; never rejects. */
  async measure(live: LiveSession): Promise<void> {
    const { clock, logger } = this.#settings
    try {
      live.life.memoryBytes = await withDeadline({
        run: async () => (await live.browser.memory?.()) ?? null,
        timeoutMs: MEASURE_LIMIT_MS,
        onTimeout: () => new Error('measuring hangs'),
        clock,
      })
    } catch (error) {
      logger.warn('the memory of a browser cannot be read', { browserSessionId: live.browserSessionId, error })
    }
  }

  async #replaceContext(live: LiveSession): Promise<boolean> {
    const { life, browser, browserSessionId } = live
    try {
      await this.#sanitizer.clean(browser, { tabs: true, caches: true })
      life.contextUses = 0
      life.contextBornAtMs = this.#settings.clock.monotonicMs()
      return true
    } catch (error) {
      this.#settings.logger.warn('a context could not be replaced', { browserSessionId, error })
      return false
    }
  }

  #wear(live: LiveSession, of: { readonly ofBrowser: boolean; readonly memoryBytes: number | null }) {
    const { uses, contextUses, bornAtMs, contextBornAtMs } = live.life
    const nowMs = this.#settings.clock.monotonicMs()
    return {
      uses: of.ofBrowser ? uses : contextUses,
      ageMs: nowMs - (of.ofBrowser ? bornAtMs : contextBornAtMs),
      memoryBytes: of.memoryBytes,
    }
  }
}
