import type { IdPrefix, Ids } from '../runtime/index.js'

/** Ids that count from 1 for each prefix: `wr_1`, `wr_2`, `bs_1`. */
export function sequentialIds(): Ids {
  const last = new Map<IdPrefix, number>()
  return {
    next(prefix) {
      const number = (last.get(prefix) ?? 0) + 1
      last.set(prefix, number)
      return `${prefix}_${number}`
    },
  }
}
