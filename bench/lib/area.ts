import type { EvaluatedTarget, Target } from './targets.js'

/** One area of the benchmark: a file `bench/areas/<name>.ts` that exports one as `area`. */
export interface Area {
  readonly name: string
  /** What is measured and how, for docs/benchmarks.md. */
  readonly describe: string
  readonly targets: Readonly<Record<string, Target>>
  /** Measures everything once; called once for each run. */
  measure(context: BenchContext): Promise<Measured>
}

export interface Measured {
  readonly figures: Readonly<Record<string, number>>
  /** Figures that explain others. */
  readonly details?: Readonly<Record<string, number>>
}

/** What the runner gives to an area. */
export interface BenchContext {
  readonly isQuick: boolean
  /** Says what is being measured now. */
  progress(text: string): void
  /** Keeps raw samples for `--samples`. */
  sample(name: string, values: readonly number[]): void
  /** A fact about the surroundings that belongs beside the figures, such as the version of a server. */
  note(text: string): void
  /** Something that all runs use: made once, closed after the last run, the latest first. */
  share<T>(key: string, open: () => Promise<{ readonly value: T; close(): Promise<void> }>): Promise<T>
}

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly node: string
  /** Load average of the last minute, at the start. */
  readonly load: number
}

/** The JSON of an area. */
export interface AreaResult {
  readonly area: string
  readonly machine: Machine
  readonly figures: Readonly<Record<string, number>>
  readonly details: Readonly<Record<string, number>>
  readonly targets: Readonly<Record<string, EvaluatedTarget>>
  readonly runs: number
  readonly quick: boolean
  readonly notes: readonly string[]
}
