/** Attributes of a measurement. */
export type MeterAttributes = Readonly<Record<string, string | number | boolean>>

/** Takes the figures of one collection. */
export interface ObservableResult {
  observe(value: number, attributes?: MeterAttributes): void
}

/** What an instrument is told about itself. */
export interface MeterInstrumentOptions {
  readonly description?: string
  readonly unit?: string
}

/** A gauge that is asked when its figures are collected. */
export interface ObservableGauge {
  addCallback(callback: (result: ObservableResult) => void): void
  removeCallback(callback: (result: ObservableResult) => void): void
}

/** What is used of a meter: the shape of `@opentelemetry/api`'s `Meter`, so that one can be passed as it is. */
export interface Meter {
  createObservableGauge(name: string, options?: MeterInstrumentOptions): ObservableGauge
  createHistogram(name: string, options?: MeterInstrumentOptions): { record(value: number, attributes?: MeterAttributes): void }
  createCounter(name: string, options?: MeterInstrumentOptions): { add(value: number, attributes?: MeterAttributes): void }
}
