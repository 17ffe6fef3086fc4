import { TimeoutError } from '../errors/index.js'
import { type Clock, withLazyDeadline } from '../runtime/index.js'
import type { BrowserHandle, PageOperationOptions } from './ports.js'

/** How a browser took a probe: it answered, it is dead, or it did not answer in time. */
export type ProbeResult = { readonly kind: 'ok' } | { readonly kind: 'dead' | 'hanging'; readonly reason: string }

const OK: ProbeResult = { kind: 'ok' }

/** Options of a probe: most answer before anybody has looked at the signal, which costs more than the question. */
class ProbeOptions implements PageOperationOptions {
  declare readonly signal: AbortSignal
  readonly timeoutMs: number
  readonly #bound: { readonly signal: AbortSignal }

  constructor(bound: { readonly signal: AbortSignal }, timeoutMs: number) {
    this.timeoutMs = timeoutMs
    this.#bound = bound
    Object.defineProperty(this, 'signal', ProbeOptions.#SIGNAL)
  }

  /** A property of its own, so that a copy of the options has it too; one getter for all, so that they are of one hidden class. */
  static readonly #SIGNAL: PropertyDescriptor & ThisType<ProbeOptions> = {
    enumerable: true,
    get() {
      return this.#bound.signal
    },
  }
}

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
      await withLazyDeadline({
        // the handle's own limit comes later, so that this one tells a hang from a refusal
        run: (bound) => browser.probe(new ProbeOptions(bound, timeoutMs + 1_000)),
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
