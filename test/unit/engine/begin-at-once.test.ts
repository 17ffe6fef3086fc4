import { expect, it } from 'vitest'
import { LocalRuns } from '../../../src/engine/local-runs.js'
import type { AnyEvent, RunResult } from '../../../src/events/index.js'
import type { Storage, Write } from '../../../src/storage/index.js'
import { blockRows, code, createWorld, gate, handlers, runRow, settle, startEngine, streamOf, types, until } from './kit.js'

/** A world whose storage tells of every call, and can fail after a commit. */
function watchedWorld(afterCommit: (batch: readonly Write[]) => void = () => {}) {
  const calls: string[] = []
  const world = createWorld((memory) => {
    const commit: Storage['commit'] = async (batch) => {
      calls.push('commit')
      const result = await memory.commit(batch)
      afterCommit(batch)
      return result
    }
    return new Proxy<Storage>(memory, {
      get(target, key) {
        if (key === 'commit') return commit
        const value: unknown = Reflect.get(target, key, target)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) => {
          if (key === 'get' || key === 'find' || key === 'count' || key === 'readEvents') calls.push(String(key))
          return value.apply(target, args)
        }
      },
    })
  })
  return { world, calls }
}

const threeBlocks = { blocks: [code('a'), code('b'), code('c')] }
const isInsertOfRun = (batch: readonly Write[]) => batch[0]?.op === 'insert' && batch[0].table === 'runs'

it('a run of three blocks, begun where a worker is free, takes one read and four commits', async () => {
  const { world, calls } = watchedWorld()
  const { engine, clock, start, memory } = await startEngine({}, world)
  await settle((await start(threeBlocks)).result(), clock)
  const { workflowPermanentId } = await runRow(memory)
  calls.length = 0
  const handle = await engine.startRun({ workflowPermanentId })
  expect((await settle(handle.result(), clock)).status).toBe('completed')
  expect(calls).toEqual(['find', 'commit', 'commit', 'commit', 'commit'])
  const stream = types(await streamOf(memory, handle.workflowRunId))
  expect(stream.slice(0, 4)).toEqual(['run.created', 'run.queued', 'run.started', 'block.started'])
  expect((await memory.get('runs', handle.workflowRunId))?.attempt).toBe(1)
})

it('a run for which no worker is free waits, and so does one behind others that wait', async () => {
  const held = gate<null>()
  const { start, clock, memory } = await startEngine({ concurrency: 1, handlers: { ...handlers, hold: () => held.passed } })
  const first = await start({ blocks: [code('a', 'hold')] })
  const waiting = [await start(threeBlocks, { priority: 1 }), await start(threeBlocks, { priority: 2 })]
  expect((await memory.get('runs', first.workflowRunId))?.status).toBe('running')
  for (const { workflowRunId } of waiting) expect((await memory.get('runs', workflowRunId))?.status).toBe('queued')
  held.open(null)
  const results = await settle(Promise.all(waiting.map((run) => run.result())), clock)
  expect(results.map(({ status }) => status)).toEqual(['completed', 'completed'])
  expect(Date.parse(results[0]?.startedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(results[1]?.startedAt ?? ''))
})

it('a run whose commit nobody knows the outcome of is executed all the same', async () => {
  let isBroken = false
  const { world } = watchedWorld((batch) => {
    if (!isBroken || !isInsertOfRun(batch)) return
    isBroken = false
    throw new Error('the connection is gone')
  })
  const { engine, clock, start, memory } = await startEngine({}, world)
  await settle((await start(threeBlocks)).result(), clock)
  const { workflowPermanentId } = await runRow(memory)
  isBroken = true
  await expect(engine.startRun({ workflowPermanentId, idempotencyKey: 'once' })).rejects.toThrow()
  const again = await engine.startRun({ workflowPermanentId, idempotencyKey: 'once' })
  expect((await settle(again.result(), clock)).status).toBe('completed')
  expect(await blockRows(memory, again.workflowRunId)).toHaveLength(3)
})

it('a run that is refused gives its worker back', async () => {
  const { engine, clock, start, memory } = await startEngine({ concurrency: 1 })
  await settle((await start(threeBlocks, { idempotencyKey: 'k' })).result(), clock)
  const { workflowPermanentId, workflowRunId } = await runRow(memory)
  for (let time = 0; time < 3; time++) {
    expect((await engine.startRun({ workflowPermanentId, idempotencyKey: 'k' })).workflowRunId).toBe(workflowRunId)
  }
  const other = await engine.startRun({ workflowPermanentId })
  expect((await settle(other.result(), clock)).status).toBe('completed')
})

it('a run canceled as soon as it was stored ends as that, and its first block with it', async () => {
  const held = gate<null>()
  const { start, clock, memory } = await startEngine({ handlers: { ...handlers, hold: () => held.passed } })
  const handle = await start({ blocks: [code('a', 'hold')] })
  await handle.cancel()
  expect((await settle(handle.result(), clock)).status).toBe('canceled')
  await until(async () => (await blockRows(memory)).every(({ status }) => status === 'canceled'))
})

it('whoever waits for a run of this process is told once, at the end of its last execution here', () => {
  const runs = new LocalRuns()
  const told: (string | null)[] = []
  const [first, second] = [runs.begin('wr_1'), runs.begin('wr_1')]
  const stop = runs.onOver('wr_1', (result) => told.push(result?.status ?? null))
  const payload = { workflowRunId: 'wr_1', status: 'completed' } as RunResult
  runs.see({ type: 'run.completed', payload } as AnyEvent)
  first()
  expect(told).toEqual([])
  expect(runs.isHere('wr_1')).toBe(true)
  second()
  expect(told).toEqual(['completed'])
  expect(runs.isHere('wr_1')).toBe(false)
  runs.left('wr_1')
  expect(told).toEqual(['completed', null])
  stop()
  runs.left('wr_1')
  expect(told).toHaveLength(2)
})
