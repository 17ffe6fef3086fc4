export type { Meter, MeterAttributes, MeterInstrumentOptions, ObservableGauge, ObservableResult } from '../runtime/index.js'
