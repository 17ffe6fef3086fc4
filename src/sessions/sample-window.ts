/** Percentiles of the most recent values, in milliseconds. */
export interface DurationFigures {
  /** How many values they are of: at most the window's size. */
  readonly count: number
  readonly p50Ms: number
  readonly p95Ms: number
}

/** Keeps the last values, so many and no more. */
export class SampleWindow {
  readonly #values: number[] = []
  readonly #size: number
  #next = 0

  constructor(size = 256) {
    this.#size = size
  }

  add(value: number): void {
    this.#values[this.#next] = value
    this.#next = (this.#next + 1) % this.#size
  }

  /** Null: there was none so far. */
  figures(): DurationFigures | null {
    const count = this.#values.length
    if (count === 0) return null
    const sorted = [...this.#values].sort((a, b) => a - b)
    const at = (share: number) => sorted[Math.min(count - 1, Math.ceil(count * share) - 1)] ?? 0
    return { count, p50Ms: at(0.5), p95Ms: at(0.95) }
  }
}
