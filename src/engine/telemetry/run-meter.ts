import type { EventPayload, Listener, RunEventType, TypedBus } from '../../events/index.js'
import { finalRunStatuses } from '../../events/index.js'
import type { Meter, ObservableResult } from '../../runtime/index.js'

/** What only other parts of the engine know. */
export interface EngineFigures {
  /** Runs that this host executes. */
  readonly runsExecuted: () => number
  /** Webhooks that this host is delivering. */
  readonly webhooksSent: () => number
}

const blockEnds = ['completed', 'failed', 'terminated', 'canceled', 'timed_out', 'retried'] as const

/**
 * Tells a meter how runs do. Gauges are read off the state when the meter asks; durations are in seconds: `runwright.runs.executing`,
 * `runwright.webhooks.sending`; `runwright.runs` (by `status` and `runType`), `runwright.runs.recovered` (by `continues`),
 * `runwright.runs.paused`, `runwright.runs.queued.duration`, `runwright.runs.duration` (both by `status`), `runwright.blocks` and
 * `runwright.blocks.duration` (by `type` and `status`), `runwright.webhooks` (attempts by `outcome`).
 */
export class RunMeter {
  readonly #bus: TypedBus<RunEventType>
  readonly #ties: (() => () => void)[] = []
  readonly #untie: (() => void)[] = []

  constructor({ meter, bus, figures }: { readonly meter: Meter; readonly bus: TypedBus<RunEventType>; readonly figures: EngineFigures }) {
    this.#bus = bus
    this.#gauge(meter, 'runwright.runs.executing', { description: 'Runs that this host executes', unit: '{run}' }, figures.runsExecuted)
    this.#gauge(meter, 'runwright.webhooks.sending', { description: 'Webhooks on their way', unit: '{webhook}' }, figures.webhooksSent)
    this.#runs(meter)
    this.#blocks(meter)
    this.#webhooks(meter)
  }

  /** From here on gauges answer, and events are counted. */
  start(): void {
    this.stop()
    this.#untie.push(...this.#ties.map((tie) => tie()))
  }

  /** Tells nothing more. */
  stop(): void {
    for (const off of this.#untie.splice(0)) off()
  }

  #runs(meter: Meter): void {
    const runs = meter.createCounter('runwright.runs', { description: 'Runs that ended', unit: '{run}' })
    const queued = meter.createHistogram('runwright.runs.queued.duration', { description: 'From queued to started', unit: 's' })
    const duration = meter.createHistogram('runwright.runs.duration', { description: 'From started to finished', unit: 's' })
    const onFinal = ({ status, runType, startedAt, queuedSeconds, durationSeconds }: EventPayload<'run.completed'>) => {
      runs.add(1, { status, runType })
      if (startedAt === null) return // it never ran
      queued.record(queuedSeconds, { status })
      duration.record(durationSeconds, { status })
    }
    for (const status of finalRunStatuses) this.#listen(`run.${status}`, onFinal)
    const paused = meter.createCounter('runwright.runs.paused', { description: 'Pauses of runs', unit: '{pause}' })
    this.#listen('run.paused', () => paused.add(1))
    const recovered = meter.createCounter('runwright.runs.recovered', { description: 'Runs taken over from other hosts', unit: '{run}' })
    this.#listen('run.recovered', ({ continues }) => recovered.add(1, { continues }))
  }

  #blocks(meter: Meter): void {
    const blocks = meter.createCounter('runwright.blocks', { description: 'Block attempts that ended', unit: '{block}' })
    const duration = meter.createHistogram('runwright.blocks.duration', { description: 'Block attempts', unit: 's' })
    for (const status of blockEnds) {
      this.#listen(`block.${status}`, ({ type, durationMs }) => {
        blocks.add(1, { type, status })
        duration.record(durationMs / 1_000, { type, status })
      })
    }
  }

  #webhooks(meter: Meter): void {
    const webhooks = meter.createCounter('runwright.webhooks', { description: 'Attempts to deliver results', unit: '{attempt}' })
    this.#listen('webhook.delivered', () => webhooks.add(1, { outcome: 'delivered' }))
    this.#listen('webhook.failed', ({ nextAttemptAt }) => webhooks.add(1, { outcome: nextAttemptAt === null ? 'failed' : 'retried' }))
  }

  #gauge(meter: Meter, name: string, options: { description: string; unit: string }, read: () => number): void {
    const gauge = meter.createObservableGauge(name, options)
    const callback = (result: ObservableResult) => result.observe(read())
    this.#ties.push(() => {
      gauge.addCallback(callback)
      return () => gauge.removeCallback(callback)
    })
  }

  #listen<K extends RunEventType>(type: K, listener: Listener<K>): void {
    this.#ties.push(() => this.#bus.on(type, listener))
  }
}
