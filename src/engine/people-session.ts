import type { BlockDefinition } from '../definition/index.js'

/** Longest life of a session, in minutes. */
const LONGEST_MINUTES = 1_440
/** What a run has beside the time that people may take. */
const BESIDE_MINUTES = 60
/** Without a time of its own, a block waits two hours for somebody. */
const DEFAULT_WAIT_SECONDS = 7_200

/**
 * How long the browser of a run has to live that waits for people, in minutes: as long as all its `human_interaction` blocks may wait, and
 * an hour more. Null: no block does, and the browser is made when it is first needed. Pure.
 */
export function minutesForPeople(blocks: Iterable<BlockDefinition>): number | null {
  let seconds: number | null = null
  for (const block of blocks) {
    if (block.type !== 'human_interaction') continue
    seconds = (seconds ?? 0) + (block.timeoutSeconds ?? DEFAULT_WAIT_SECONDS)
  }
  return seconds === null ? null : Math.min(LONGEST_MINUTES, seconds / 60 + BESIDE_MINUTES)
}
