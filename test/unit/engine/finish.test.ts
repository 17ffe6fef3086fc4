import { describe, expect, it } from 'vitest'
import type { RunResult } from '../../../src/events/index.js'
import type { Write } from '../../../src/storage/index.js'
import {
  blockRows,
  code,
  createWorld,
  finals,
  handlers,
  runRow,
  settle,
  startEngine,
  startHost,
  streamOf,
  types,
  watchedStorage,
} from './kit.js'

/** A world whose commits are kept. */
function watchedWorld() {
  let watched!: ReturnType<typeof watchedStorage>['watched']
  const world = createWorld((memory) => {
    const wrapped = watchedStorage(memory)
    watched = wrapped.watched
    return wrapped.storage
  })
  return { world, watched }
}

const tablesOf = (batch: readonly Write[]) => batch.map((write) => ('table' in write ? write.table : write.stream))

describe('the terminal commit', () => {
  it.each([
    ['noop', 'completed'],
    ['fail', 'failed'],
  ])('holds one final event, at the last place, that is the whole result and fits the row (%s)', async (handler, status) => {
    const { start, memory, engine, clock } = await startEngine({ handlers: { ...handlers, one: () => ({ n: 1 }) } })
    const parameters = [{ kind: 'workflow' as const, key: 'word', type: 'string' as const }]
    const handle = await start(
      { parameters, blocks: [code('a', 'one'), code('b', handler)] },
      { parameters: { word: 'x' }, runMetadata: { ticket: '7' } },
    )
    const result = await settle(handle.result(), clock)
    const events = await streamOf(memory)
    expect(finals(events)).toHaveLength(1)
    expect(events.at(-1)?.type).toBe(`run.${status}`)
    expect(events.at(-1)?.payload).toEqual(result)
    const row = await engine.getRun({ workflowRunId: handle.workflowRunId })
    const { errors, extractedInformation, downloadedFiles, screenshotArtifactIds, queuedSeconds, durationSeconds, ...facts } = result
    const instants = ['createdAt', 'queuedAt', 'startedAt', 'finishedAt'] as const
    for (const name of instants) expect(row[name]?.toISOString()).toBe(facts[name])
    expect(row).toMatchObject({ ...facts, ...Object.fromEntries(instants.map((name) => [name, row[name]])) })
    expect(row.durationMs).toBe(durationSeconds * 1_000)
    expect({ errors: errors.length, queuedSeconds }).toEqual({ errors: status === 'failed' ? 1 : 0, queuedSeconds: 0 })
    expect(row).not.toHaveProperty('leaseFence')
    expect(await runRow(memory)).toMatchObject({ leaseHolder: null, leaseExpiresAt: null, leaseFence: 1 })
  })

  it('closes every block row that is open', async () => {
    const { start, memory, events, clock } = await startEngine({ handlers: { deaf: () => new Promise(() => {}) } })
    const parameters = [{ kind: 'workflow' as const, key: 'list', type: 'json' as const, default: [1] }]
    const handle = await start({
      parameters,
      blocks: [{ type: 'for_loop', label: 'loop', loopOverParameterKey: 'list', loopBlocks: [code('x', 'deaf')] }],
    })
    await clock.advance(10)
    await handle.cancel()
    await settle(handle.result(), clock)
    expect((await blockRows(memory)).map(({ status, finishedAt }) => [status, finishedAt === null])).toEqual([
      ['canceled', false],
      ['canceled', false],
    ])
    expect(types(events).filter((type) => type.endsWith('.canceled'))).toEqual(['block.canceled', 'block.canceled', 'run.canceled'])
    expect(types(events).at(-1)).toBe('run.canceled')
  })

  it('clears the session’s lease with the same write: the session is free when result() returns', async () => {
    const { world, watched } = watchedWorld()
    const { start, pool, memory, clock, driver } = await startHost({ world })
    const released: string[] = []
    pool.on('session.released', ({ browserSessionId }) => void released.push(browserSessionId))
    const { browserSessionId } = await pool.create()
    const handle = await start({ blocks: [code('a')] }, { browserSessionId })
    const result = await settle(handle.result(), clock)
    expect(result.browserSessionId).toBe(browserSessionId)
    const session = await memory.get('browser_sessions', browserSessionId)
    expect(session).toMatchObject({ leaseToken: null, runnableId: null, status: 'running' })
    const last = watched.commits.find((batch) =>
      batch.some((write) => write.op === 'update' && write.table === 'browser_sessions' && write.set.leaseToken === null),
    )
    expect(tablesOf(last ?? [])).toEqual(['runs', 'run_blocks', 'run:wr_1', 'browser_sessions', `session:${browserSessionId}`])
    expect(released).toEqual([browserSessionId])
    const lease = await pool.occupy({ browserSessionId, runnableType: 'test', runnableId: 'x' })
    await lease.release()
    expect(driver.liveHandles).toBe(1)
  })

  it('gives the session back although somebody ended its lease by force meanwhile', async () => {
    const { world, watched } = watchedWorld()
    const { start, pool, memory, clock } = await startHost({ world })
    const { browserSessionId } = await pool.create()
    watched.before = (batch) => {
      const isEnd = batch.some((write) => write.op === 'update' && write.table === 'runs' && write.set.status === 'completed')
      if (!isEnd) return
      watched.before = undefined
      return memory
        .commit([{ op: 'update', table: 'browser_sessions', id: browserSessionId, set: { leaseToken: 'another' } }])
        .then(() => {})
    }
    const handle = await start({ blocks: [code('a')] }, { browserSessionId })
    expect((await settle(handle.result(), clock)).status).toBe('completed')
    expect((await memory.get('browser_sessions', browserSessionId))?.leaseToken).toBe('another')
    expect(finals(await streamOf(memory))).toHaveLength(1)
  })

  it('loses against a cancel that was requested first', async () => {
    const { world, watched } = watchedWorld()
    const { start, memory, clock } = await startEngine({}, world)
    watched.before = (batch) => {
      const isEnd = batch.some((write) => write.op === 'update' && write.table === 'runs' && write.set.status === 'completed')
      if (!isEnd) return
      watched.before = undefined
      const set = { cancelRequestedAt: new Date(), cancelRequestedBy: 'somebody else' }
      return memory.commit([{ op: 'update', table: 'runs', id: 'wr_1', set }]).then(() => {})
    }
    const handle = await start({ blocks: [code('a')] })
    expect(await settle(handle.result(), clock)).toMatchObject({ status: 'canceled', failureReason: 'canceled by somebody else' })
    expect(finals(await streamOf(memory))).toHaveLength(1)
    expect((await blockRows(memory))[0]?.status).toBe('completed')
  })
})

describe('commits', () => {
  it('of a block’s end and the next one’s start are one', async () => {
    const { world, watched } = watchedWorld()
    const { run } = await startEngine({}, world)
    const blocks = Array.from({ length: 100 }, (_, index) => code(`b${index}`))
    await run({ blocks })
    const ofBlocks = watched.commits.filter((batch) => batch.some((write) => 'table' in write && write.table === 'run_blocks'))
    expect(ofBlocks).toHaveLength(101)
    const all = watched.commits.length - 2 // storing the workflow, storing the run
    expect(all / blocks.length).toBeLessThanOrEqual(1.2)
  })

  it('of a loop’s children are as many', async () => {
    const { world, watched } = watchedWorld()
    const { run } = await startEngine({}, world)
    const parameters = [{ kind: 'workflow' as const, key: 'list', type: 'json' as const, default: Array.from({ length: 50 }, (_, n) => n) }]
    const loopBlocks = [code('x'), code('y')]
    await run({ parameters, blocks: [{ type: 'for_loop', label: 'loop', loopOverParameterKey: 'list', loopBlocks }] })
    expect(watched.commits.length / 100).toBeLessThanOrEqual(1.2)
  })

  it('hold a pending outcome together with the finally block’s start', async () => {
    const { world, watched } = watchedWorld()
    const { run } = await startEngine({}, world)
    await run({ blocks: [code('a'), code('last')], finallyBlockLabel: 'last' })
    const pending = watched.commits.filter((batch) =>
      batch.some((write) => write.op === 'update' && write.table === 'runs' && write.set.pendingOutcome != null),
    )
    expect(pending).toHaveLength(1)
    expect(tablesOf(pending[0] ?? []).filter((table) => table === 'run_blocks')).toHaveLength(2)
  })
})

describe('the result', () => {
  it('counts time in the line and at work', async () => {
    const { world } = watchedWorld()
    const host = await startEngine({ concurrency: 1 }, world)
    const first = await host.start({ blocks: [{ type: 'wait', label: 'pause', waitSec: 10 }] })
    const second = await host.start({ blocks: [{ type: 'wait', label: 'pause', waitSec: 5 }] })
    const results: RunResult[] = [await settle(first.result(), host.clock), await settle(second.result(), host.clock)]
    expect(results.map(({ queuedSeconds, durationSeconds }) => [queuedSeconds, durationSeconds])).toEqual([
      [0, 10],
      [10, 5],
    ])
    expect(host.clock.pendingTimers).toBe(0)
  })

  it('of runs with a higher priority comes first', async () => {
    const host = await startEngine({ concurrency: 1 })
    const pause = { blocks: [{ type: 'wait' as const, label: 'pause', waitSec: 1 }] }
    const handles = []
    for (const priority of [0, 0, 5]) handles.push(await host.start(pause, { priority }))
    await Promise.all(handles.map((handle) => settle(handle.result(), host.clock)))
    const started = host.events.flatMap((event) =>
      event.type === 'run.started' ? [(event.payload as { workflowRunId: string }).workflowRunId] : [],
    )
    expect(started).toEqual(['wr_1', 'wr_3', 'wr_2'])
  })
})
