import type { Area } from '../lib/area.js'
import { measureChromium } from '../sessions/chromium.js'
import { measureMemory } from '../sessions/memory.js'
import { measureOccupy } from '../sessions/postgres.js'
import { measureRace } from '../sessions/race.js'

export const area: Area = {
  name: 'sessions',
  describe: [
    'SessionPool: in memory on the fake driver beside its peers, on headless Chromium, and on Postgres. The peers, `@crawlee/browser-pool` 3.18.1 and `puppeteer-cluster` 0.25.0, run in a process of their own, on browsers that are as fake; each does what comes nearest.',
    '',
    '- `occupyReleaseP50Us`, `occupyReleasePerSec`: a lease on a session and its release, in memory, one after another. `crawleeNewPagePerSec`: a page opened and closed, likewise. `clusterJobsPerSec`: empty jobs by eight callers at once.',
    '- `launch8x500Ms`: eight callers at once, each of whom wants a browser that takes 500 ms to launch; `crawleeLaunch8x500Ms`, `clusterLaunch8x500Ms` (one browser a worker): the same.',
    '- `innocentsFailed`: a browser crashes while it is held, its relaunch fails once, and eight callers ask for one at once, 20 times. Counts those that failed although it was not their own launch that did. `crawleeInnocentsFailed`: the same. `clusterAnswersAfterFailedRelaunch`: 1 if puppeteer-cluster does any job afterwards, else 0.',
    '- `coldStartMs`, `warmHandoutMs`: from `acquire` to a page, with a launch and with a warm spare.',
    '- `secondRunOnSessionMs`, `freshRunMs`: a run that opens a page and clicks, on a session that another run has used and in a browser of its own, from `startRun` to its result.',
    '- `crashToSignalMs`: from SIGKILL to the browser to the aborted signal of its lease.',
    '- `rssPerSessionMb`: resident memory of all processes of a session on a small page, with eight sessions; `rssPerSessionMb1`, `rssPerSessionMb8`: with one and with eight. Pages that processes share are counted for each of them; in `pssPerSessionMb1`, `pssPerSessionMb8` they are divided among them.',
    '- `occupyPerSec16`: leases and their releases a second on Postgres, by 16 clients, each on a session of its own.',
    '- `race`: violations in 200 rounds of 64 racers from 4 processes, through the pool of each: by `occupy` for 8 sessions, two of each process, and in turns by `createOccupied` for the 8 sessions that an organisation may have. A session without exactly one winner, whose row names another one or that has not exactly its event, more or fewer sessions than 8, or a loser who was told anything else.',
  ].join('\n'),
  targets: {
    occupyReleaseP50Us: { op: '<=', value: 50 },
    occupyReleasePerSec: { op: '>=', value: 20_000 },
    launch8x500Ms: { op: '<=', value: 700 },
    innocentsFailed: { op: '<=', value: 0 },
    warmHandoutMs: { op: '<=', value: 10 },
    crashToSignalMs: { op: '<=', value: 60 },
    race: { op: '<=', value: 0 },
  },
  async measure(context) {
    const memory = await measureMemory(context)
    const chromium = await measureChromium(context)
    const { occupyPerSec16 } = await measureOccupy(context)
    const { race } = await measureRace(context)
    return {
      figures: { ...memory.figures, ...chromium.figures, occupyPerSec16, race },
      details: { ...memory.details, ...chromium.details },
    }
  },
}
