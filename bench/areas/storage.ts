import type { Area } from '../lib/area.js'
import { measureAppend, measureLive, measureWake } from '../storage/append.js'
import { measureFlatness } from '../storage/flatness.js'
import { measureMemory } from '../storage/memory.js'
import { measureOccupy } from '../storage/occupy.js'
import { measureRace } from '../storage/race.js'

export const area: Area = {
  name: 'storage',
  describe: [
    'MemoryStorage and PostgresStorage, each behind the guard as the facades use them, on the built package.',
    'What each figure is, and how it is taken, is said below the table.',
  ].join(' '),
  targets: {
    ratio1: { op: '>=', value: 0.8 },
    ratio16: { op: '>=', value: 0.8 },
    appendBatchPerSec: { op: '>=', value: ({ appendSinglePerSec = Number.NaN }) => 20 * appendSinglePerSec },
    wakeMedianMs: { op: '<=', value: 5 },
    flatness: { op: '<=', value: 1.3 },
    race: { op: '<=', value: 0 },
  },
  async measure(context) {
    const { memoryCommitsPerSec } = await measureMemory(context)
    const occupy = await measureOccupy(context)
    const append = await measureAppend(context)
    const { wakeMedianMs, wakeAfterCommitMs } = await measureWake(context)
    const { eventsPerSec } = await measureLive(context)
    const { flatness = Number.NaN, ...flatnessDetails } = await measureFlatness(context)
    const { race } = await measureRace(context)
    return {
      figures: { memoryCommitsPerSec, ...occupy.figures, ...append, wakeMedianMs, flatness, eventsPerSec, race },
      details: { ...occupy.details, wakeAfterCommitMs, ...flatnessDetails },
    }
  },
}
