import assert from 'node:assert/strict'
import { systemClock, withDeadline } from '../../runtime/index.js'
import { readStream, type Storage, type Wake } from '../../storage/index.js'
import { applied, type ContractCase, instances, upTo } from './kit.js'
import { append, insertRun } from './samples.js'

/** How long a wake-up may take before it counts as none. */
const WAKE_TIMEOUT_MS = 3_000

/** Wake-ups, or polling in their place. */
export const wakeCases: ContractCase[] = [
  {
    name: 'notify: subscribers hear of what was committed, not of what was refused, and not after they left',
    needs: 'notify',
    async run(storage) {
      const wakes: Wake[] = []
      const isTold = await listen(storage, wakes)
      await storage.commit([append('refused', 'e'), { op: 'delete', table: 'runs', id: 'none' }])
      await applied(storage, insertRun('a'), append('run:a', 'e'))
      await isTold.until((wake) => wake.stream === 'run:a')
      await isTold.until((wake) => wake.table === 'runs' && wake.id === 'a')
      assert.ok(!wakes.some((wake) => wake.stream === 'refused'), 'a refused batch woke somebody')
      await isTold.leave()
      await isTold.leave()
      wakes.length = 0
      await applied(storage, insertRun('b'))
      await storage.now()
      assert.deepEqual(wakes, [])
    },
  },
  {
    name: 'notify: a subscriber of another instance hears of a commit',
    needs: 'notify',
    async run(storage, context) {
      if (!context.capabilities.shared) return
      const [one, two] = (await instances(storage, context, 2)) as [Storage, Storage]
      const isTold = await listen(two, [])
      await applied(one, insertRun('a'), append('run:a', 'e'))
      await isTold.until((wake) => wake.stream === 'run:a')
      await isTold.leave()
    },
  },
  {
    name: 'a reader that follows a stream gets every event once, in order, woken or by asking again',
    async run(storage, context) {
      const writers = context.capabilities.shared ? await instances(storage, context, 2) : [storage]
      await applied(storage, append('s', 'e1', 'e2'))
      const reading = (async () => {
        const seqs: number[] = []
        for await (const event of readStream({ storage, stream: 's', pollMs: 50, isLast: ({ seq }) => seq === 22 })) seqs.push(event.seq)
        return seqs
      })()
      for (const n of upTo(20)) await applied(writers[n % writers.length] as Storage, append('s', `x${n}`), append('other', `y${n}`))
      assert.deepEqual(await inTime(() => reading, 'the end of the stream'), upTo(22))
    },
  },
]

/** Fails when the work takes longer than any wake-up may. */
function inTime<T>(run: () => Promise<T>, what: string): Promise<T> {
  return withDeadline({
    run,
    timeoutMs: WAKE_TIMEOUT_MS,
    onTimeout: () => new Error(`${what} did not come within ${WAKE_TIMEOUT_MS} ms`),
    clock: systemClock,
  })
}

/** Subscribes, keeps what comes in `wakes`, and lets the case wait for one of them. */
async function listen(storage: Storage, wakes: Wake[]) {
  const waiting = new Set<() => void>()
  assert.ok(storage.subscribe !== undefined, 'notify is claimed, and there is no subscribe()')
  const leave = await storage.subscribe((wake) => {
    wakes.push(wake)
    for (const look of waiting) look()
  })
  const until = (isWanted: (wake: Wake) => boolean) => {
    const told = new Promise<void>((resolve) => {
      const look = () => {
        if (wakes.some(isWanted)) resolve()
      }
      waiting.add(look)
      look()
    })
    return inTime(() => told, `a wake-up; until now came ${JSON.stringify(wakes)}`)
  }
  return { until, leave }
}
