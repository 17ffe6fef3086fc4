import fc from 'fast-check'
import { vi } from 'vitest'
import { systemRandom } from '../../../src/runtime/index.js'
import { play } from './play.js'
import type { Schedule } from './steps.js'

/** How many schedules of both kinds together are played; `RUNWRIGHT_SCHEDULES` is the long run. */
const SCHEDULES = Number(process.env.RUNWRIGHT_SCHEDULES ?? 40)
/** With `RUNWRIGHT_PATH`, as a failure tells them: plays that one again. `RUNWRIGHT_SHRINK=no` tells of the first that goes wrong, as it is. */
const SEED = process.env.RUNWRIGHT_SEED
const PATH = process.env.RUNWRIGHT_PATH

/** Plays half of the schedules, of one kind; fails with the shortest that goes wrong, and the seed to play it again. */
export async function playAll(schedules: fc.Arbitrary<Schedule>): Promise<void> {
  const seed = SEED === undefined ? {} : { seed: Number(SEED), ...(PATH === undefined ? {} : { path: PATH }) }
  let played = 0
  let steps = 0
  const beganMs = performance.now()
  const cpu = process.cpuUsage()
  const jitter = vi.spyOn(systemRandom, 'fraction')
  try {
    await fc.assert(
      fc.asyncProperty(schedules, async (schedule) => {
        played += 1
        steps += schedule.steps.length
        const fraction = fractions(schedule.seed)
        jitter.mockImplementation(fraction) // the jitter of sweeps too
        const problems = await play(schedule, fraction)
        if (problems.length > 0) throw new Error(problems.slice(0, 20).join('\n'))
      }),
      { numRuns: Math.ceil(SCHEDULES / 2), ...seed, endOnFailure: process.env.RUNWRIGHT_SHRINK === 'no' },
    )
  } finally {
    jitter.mockRestore()
  }
  const seconds = (performance.now() - beganMs) / 1_000
  const busy = process.cpuUsage(cpu).user / 1e6
  console.info(`${played} schedules of ${steps} steps in ${seconds.toFixed(1)} s, ${busy.toFixed(1)} s of them computing`)
}

/** Numbers in [0, 1) that a seed stands for (mulberry32). */
function fractions(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
}

/** In milliseconds: so generous that only what hangs is ended, on a busy machine too. */
export const PLAY_TIMEOUT_MS = Math.max(60_000, SCHEDULES * 400)
