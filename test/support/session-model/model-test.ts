import fc from 'fast-check'
import type { ModelOptions } from './model.js'
import { play } from './play.js'
import type { Step } from './steps.js'

/** How many schedules of both kinds together are played; `RUNWRIGHT_SCHEDULES` is the long run. */
const SCHEDULES = Number(process.env.RUNWRIGHT_SCHEDULES ?? 240)
const SEED = process.env.RUNWRIGHT_SEED

/** Plays half of the schedules, of one kind; fails with the shortest that goes wrong, and the seed to play it again. */
export async function playAll(schedules: fc.Arbitrary<Step[]>, options: ModelOptions = {}): Promise<void> {
  const seed = SEED === undefined ? {} : { seed: Number(SEED) }
  let played = 0
  let steps = 0
  const beganMs = performance.now()
  const cpu = process.cpuUsage()
  await fc.assert(
    fc.asyncProperty(schedules, fc.boolean(), async (schedule, isWarm) => {
      played += 1
      steps += schedule.length
      const problems = await play(schedule, isWarm ? { ...options, warm: { min: 1 } } : options)
      if (problems.length > 0) throw new Error(problems.join('\n'))
    }),
    { numRuns: Math.ceil(SCHEDULES / 2), ...seed },
  )
  const seconds = (performance.now() - beganMs) / 1_000
  const busy = process.cpuUsage(cpu).user / 1e6
  console.info(`${played} schedules of ${steps} steps in ${seconds.toFixed(1)} s, ${busy.toFixed(1)} s of them computing`)
}

/** In milliseconds: so generous that only what hangs is ended, on a busy machine too. */
export const PLAY_TIMEOUT_MS = Math.max(60_000, SCHEDULES * 200)
