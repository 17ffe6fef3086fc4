import { TimeoutError } from '../errors/index.js'
import { type Clock, withDeadline } from '../runtime/index.js'
import type { BrowserHandle } from './ports.js'

/** How a browser took a probe: it answered, it is dead, or it did not answer in time. */
export type ProbeResult = { readonly kind: 'ok' } | { readonly kind: 'dead' | 'hanging'; readonly reason: string }

const OK: ProbeResult = { kind: 'ok' }

/** Asks browsers whether they live; bounded, so that a stopped process costs its budget and no more. */
export class CheckoutProbe {
  readonly #clock: Clock
  readonly #timeoutMs: number

  constructor(settings: { readonly clock: Clock; readonly probeTimeoutMs: number }) {
    this.#clock = settings.clock
    this.#timeoutMs = settings.probeTimeoutMs
  }

  /** Never rejects. */
  async check(browser: BrowserHandle): Promise<ProbeResult> {
    const timeoutMs = this.#timeoutMs
    let isLate = false
    try {
      await withDeadline({
        // the handle's own limit comes later, so that this one tells a hang from a refusal
        run: (signal) => browser.probe({ signal, timeoutMs: timeoutMs + 1_000 }),
        timeoutMs,
        onTimeout: () => {
          isLate = true
          return new TimeoutError('The probe of the browser', timeoutMs)
        },
        clock: this.#clock,
      })
      return OK
    } catch (error) {
      if (isLate) return { kind: 'hanging', reason: `its browser did not answer within ${timeoutMs} ms` }
      return { kind: 'dead', reason: `its browser refuses to answer: ${error instanceof Error ? error.message : String(error)}` }
    }
  }
}
