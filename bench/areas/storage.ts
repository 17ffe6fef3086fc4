import type { Area } from '../lib/area.js'
import { measureAppend, measureLive, measureWake } from '../storage/append.js'
import { measureFlatness } from '../storage/flatness.js'
import { measureMemory } from '../storage/memory.js'
import { measureOccupy } from '../storage/occupy.js'
import { measureRace } from '../storage/race.js'

export const area: Area = {
  name: 'storage',
  describe: [
    'MemoryStorage and PostgresStorage, each behind the guard as the facades use them.',
    '',
    '- `memoryCommitsPerSec`: commits of a conditional update with its event, one after another, in memory.',
    '- `occupyRelease1`, `occupyRelease16`: pairs a second of taking a session and giving it back, as SessionPool writes them (each a conditional update with its event), by 1 and 16 clients. `raw1`, `raw16`: the same two updates by `pool.query(text, values)`, without events, on a table of the same shape. `ratio1`, `ratio16`: one over the other. `rawPrepared`, `ratioPrepared`: beside the updates as prepared statements.',
    '- `appendSinglePerSec`, `appendBatchPerSec`: events a second by one client, one and a hundred a commit.',
    '- `wakeMedianMs`: from the call of a commit to the wake-up in another process, each after a pause; `wakeAfterCommitMs` from when the commit is done.',
    '- `flatness`: what a commit and a page of five runs cost with 100,000 runs stored, over that with 10, on runs taken at random; the greater of `flatnessCommit` and `flatnessPage`. The two of memory tell what a MemoryStorage without `retain` comes to.',
    '- `eventsPerSec`: events that a subscriber in another process has seen a second, while they are appended a hundred a commit.',
    '- `race`: violations in 200 rounds of 64 writers from 4 processes for 8 sessions, by conditional update and by claim in turns: a session without exactly one winner, that is not held by the one who was told so, or without exactly its event.',
  ].join('\n'),
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
