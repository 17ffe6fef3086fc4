import { setTimeout as sleep } from 'node:timers/promises'
import type { BenchContext } from '../lib/area.js'
import { median, percentile } from '../lib/statistics.js'
import { withEngines } from './cluster.js'

const refuse = () => {
  throw new Error('A run went to another process while a worker was free here')
}

/** Not in step with any timer. */
const pause = (index: number) => sleep(30 + (index % 7) * 3)

/**
 * Runs that one process queues and another one executes, as the first has no worker free: from when it is queued to its block, and from the
 * call of cancel in the first to the aborted signal of the block in the other.
 */
export function measureBetweenProcesses(context: BenchContext): Promise<{ dispatchMedianMs: number; cancelP95Ms: number }> {
  const count = context.isQuick ? 5 : 60
  return withEngines(context, [{ concurrency: 1 }, { concurrency: 4 }], async (here, there) => {
    context.progress(`dispatch and cancel between processes, ${count} runs`)
    const workflow = await here.call('create', { isHeld: true })
    const [busy] = await here.call('queue', { workflow, count: 1 })
    await Promise.race([here.call('begun', busy?.id ?? ''), there.call('begun', busy?.id ?? '').then(refuse)])
    const [dispatches, cancels]: [number[], number[]] = [[], []]
    for (let index = -3; index < count; index++) {
      await pause(index + 3)
      const [{ id, at } = { id: '', at: 0 }] = await here.call('queue', { workflow, count: 1 })
      const begunAt = await there.call('begun', id)
      await pause(index + 3)
      const askedAt = await here.call('cancel', id)
      const abortedAt = await there.call('aborted', id)
      await here.call('ended', id)
      if (index < 0) continue // warms up
      dispatches.push(Math.max(0, begunAt - at))
      cancels.push(abortedAt - askedAt)
    }
    context.sample('dispatchMs', dispatches)
    context.sample('cancelMs', cancels)
    return { dispatchMedianMs: median(dispatches), cancelP95Ms: percentile(cancels, 0.95) }
  })
}

/** A process that executes a run is killed; from then to the block, begun again in another process. */
export async function measureTakeover(context: BenchContext): Promise<{ takeoverMs: number }> {
  const times: number[] = []
  const count = context.isQuick ? 1 : 3
  for (let index = 0; index < count; index++) {
    context.progress(`takeover, ${index + 1} of ${count}`)
    times.push(await takeoverMs(context))
  }
  context.sample('takeoverMs', times)
  return { takeoverMs: median(times) }
}

function takeoverMs(context: BenchContext): Promise<number> {
  const engine = { concurrency: 1, leaseTtlMs: 2_000 }
  return withEngines(context, [engine, engine], async (victim, other) => {
    const workflow = await victim.call('create', { isHeld: true })
    const [{ id } = { id: '' }] = await victim.call('queue', { workflow, count: 1 })
    await victim.call('begun', id)
    await sleep(1_000) // its lease has been renewed by then
    const killedAt = victim.kill()
    const ended = other.call('ended', id).then((status) => ({ status }))
    const begun = other.call('begun', id).then((at) => ({ at }))
    const first = await Promise.race([begun, ended])
    if ('at' in first) return first.at - killedAt
    context.note(`a run of a killed process is ${first.status} and was not gone on with`)
    return Number.NaN
  })
}
