import type { RunEventType, TypedBus } from '../../events/index.js'
import type { Clock, Logger, Meter } from '../../runtime/index.js'
import type { SpanContextOf, Tracer } from '../run-ports.js'
import { type EngineFigures, RunMeter } from './run-meter.js'
import { RunTracing } from './run-tracing.js'

export interface TelemetryOptions {
  readonly tracer?: Tracer | undefined
  readonly spanContext?: SpanContextOf | undefined
  readonly meter?: Meter | undefined
  readonly bus: TypedBus<RunEventType>
  readonly clock: Clock
  readonly logger: Logger
  readonly figures: EngineFigures
}

/** What a host's tracer and meter hear of an engine: all of it is made of the events of this process. */
export class Telemetry {
  readonly #tracing: RunTracing | null
  readonly #meter: RunMeter | null

  constructor({ tracer, meter, ...options }: TelemetryOptions) {
    this.#tracing = tracer === undefined ? null : new RunTracing({ tracer, ...options })
    this.#meter = meter === undefined ? null : new RunMeter({ meter, ...options })
  }

  start(): void {
    this.#tracing?.start()
    this.#meter?.start()
  }

  stop(): void {
    this.#tracing?.stop()
    this.#meter?.stop()
  }
}
