import type { RunRow } from '../storage/index.js'

/** Who has to know that a run has ended: what waited for it may begin. */
export interface RunEnds {
  /** `run` is the row as its terminal commit left it. Never throws; what follows is done in the background. */
  ended(run: RunRow): void
}

/** Tells each of them. */
export const allEnds = (...ends: readonly RunEnds[]): RunEnds => ({
  ended: (run) => {
    for (const each of ends) each.ended(run)
  },
})

/** Nothing waits for anything. */
export const noRunEnds: RunEnds = { ended: () => {} }
