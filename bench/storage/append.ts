import { setTimeout as sleep } from 'node:timers/promises'
import type { NewEvent, Write } from 'runwright'
import type { BenchContext } from '../lib/area.js'
import { openStorage, sharedServer } from '../lib/postgres.js'
import { interleave, rate } from '../lib/rates.js'
import { median } from '../lib/statistics.js'
import { sharedNowMs } from '../lib/worker.js'
import { withProcesses } from './processes.js'
import { freeSession, mustCommit, newEvent } from './session-pair.js'

const BATCH = 100

/** An event of a usual size: the end of a block. */
const blockCompleted = (index: number): NewEvent =>
  newEvent('block.completed', { label: `block_${index}`, blockType: 'extraction', status: 'completed', durationMs: 1_234, attempt: 1 })

const append = (stream: string, count: number): readonly Write[] => [
  { op: 'append', stream, events: Array.from({ length: count }, (_, index) => blockCompleted(index)) },
]

/** Events a second, one by one and a hundred a commit, by one client. */
export async function measureAppend(context: BenchContext): Promise<{ appendSinglePerSec: number; appendBatchPerSec: number }> {
  context.progress('append, single and batched')
  const [rounds, ms] = context.isQuick ? [2, 100] : [8, 500]
  const opened = await openStorage({ url: await sharedServer(context), clients: 1 })
  try {
    const commit = (stream: string, count: number) => () =>
      rate({ clients: 1, ms, work: () => mustCommit(opened.storage, append(stream, count)) }).then((commits) => commits * count)
    const { single, batch } = await interleave(rounds, { single: commit('run:single', 1), batch: commit('run:batch', BATCH) })
    context.sample('appendSinglePerSec', single)
    context.sample('appendBatchPerSec', batch)
    return { appendSinglePerSec: median(single), appendBatchPerSec: median(batch) }
  } finally {
    await opened.close()
  }
}

/** From a commit here to the wake-up of a subscriber in another process, each commit after a pause. */
export async function measureWake(context: BenchContext): Promise<{ wakeMedianMs: number; wakeAfterCommitMs: number }> {
  context.progress('wake-ups')
  const count = context.isQuick ? 10 : 100
  const url = await sharedServer(context)
  const opened = await openStorage({ url, clients: 1 })
  try {
    const { schema, storage } = opened
    return await withProcesses({ count: 1, url, schema, clients: 1 }, async ([other]) => {
      if (other === undefined) throw new Error('No worker')
      await other.call('subscribe', undefined as never)
      const [fromCall, fromCommit]: [number[], number[]] = [[], []]
      for (let index = -3; index < count; index++) {
        const stream = `run:${index}`
        await other.call('arm', { stream })
        await sleep(20 + (index % 7) * 3) // idle, and not in step with any timer
        const sentAt = sharedNowMs()
        await mustCommit(storage, append(stream, 1))
        const committedAt = sharedNowMs()
        const wokenAt = await other.call('woken', undefined as never)
        if (index < 0) continue // warms up
        fromCall.push(wokenAt - sentAt)
        fromCommit.push(Math.max(0, wokenAt - committedAt))
      }
      context.sample('wakeMedianMs', fromCall)
      return { wakeMedianMs: median(fromCall), wakeAfterCommitMs: median(fromCommit) }
    })
  } finally {
    await opened.close()
  }
}

/** Events a second that a subscriber in another process has seen, while they are appended a hundred a commit. */
export async function measureLive(context: BenchContext): Promise<{ eventsPerSec: number }> {
  context.progress('live subscriber')
  const [rounds, commits] = context.isQuick ? [1, 20] : [3, 200]
  const url = await sharedServer(context)
  const opened = await openStorage({ url, clients: 1 })
  try {
    const { schema, storage } = opened
    const rates = await withProcesses({ count: 1, url, schema, clients: 1 }, async ([other]) => {
      const results: number[] = []
      for (let round = 0; round <= rounds; round++) {
        const browserSessionId = `pbs_${round}`
        const stream = `session:${browserSessionId}`
        await mustCommit(storage, [{ op: 'insert', table: 'browser_sessions', row: freeSession(browserSessionId) }, ...append(stream, 1)])
        await other?.call('follow', { browserSessionId, count: 1 + commits * BATCH })
        const startedAt = sharedNowMs()
        for (let index = 0; index < commits; index++) await mustCommit(storage, append(stream, BATCH))
        const endedAt = (await other?.call('followed', undefined as never)) ?? Number.NaN
        if (round > 0) results.push((commits * BATCH * 1_000) / (endedAt - startedAt)) // the first warms up
      }
      return results
    })
    context.sample('eventsPerSec', rates)
    return { eventsPerSec: median(rates) }
  } finally {
    await opened.close()
  }
}
