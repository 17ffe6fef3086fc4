/** Middle value; the mean of the middle two where their number is even. `NaN` for none. */
export function median(values: readonly number[]): number {
  return percentile(values, 0.5)
}

/**
 * The value below which a share of the values lies, interpolated between neighbours. `NaN` for none.
 * @param share 0 to 1
 */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other)
  const place = (sorted.length - 1) * share
  const below = sorted[Math.floor(place)]
  const above = sorted[Math.ceil(place)]
  return below === undefined || above === undefined ? Number.NaN : below + (above - below) * (place - Math.floor(place))
}

/** Median of each figure over the runs, in the order in which figures first appear; a run without a figure does not count for it. */
export function medians(runs: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const names = new Set(runs.flatMap((run) => Object.keys(run)))
  return Object.fromEntries([...names].map((name) => [name, median(runs.map((run) => run[name]).filter((value) => value !== undefined))]))
}

/** Median of `over[i] / under[i]`: what was measured side by side is compared side by side, so that a slow moment hits both. */
export function medianRatio(over: readonly number[], under: readonly number[]): number {
  return median(over.map((value, index) => value / (under[index] ?? Number.NaN)))
}
