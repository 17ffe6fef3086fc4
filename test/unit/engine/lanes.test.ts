import { afterEach, describe, expect, it } from 'vitest'
import type { WorkflowEngineOptions } from '../../../src/engine/index.js'
import { sleep } from '../../../src/runtime/index.js'
import { faultyStorage } from '../../../src/testing/index.js'
import { createFleet, shared } from './dispatch-kit.js'
import { code, failure, finals, gate, runRow, settle, streamOf, until } from './kit.js'

let fleet: ReturnType<typeof createFleet>
afterEach(() => fleet?.stop())

const definition = {
  parameters: [{ kind: 'workflow' as const, key: 'lane', type: 'string' as const, default: '' }],
  blocks: [code('only', 'work', { parameterKeys: ['lane'] })],
}

/** Hosts whose handler records when it begins and ends a run of a lane. */
function recordingFleet() {
  fleet = createFleet()
  const trace: { lane: string; at: '+' | '-'; host: string }[] = []
  let seed = 7
  const host = (hostId: string, options: Partial<WorkflowEngineOptions> = {}) =>
    fleet.host(hostId, {
      concurrency: 5,
      handlers: {
        work: async ({ parameters, signal }) => {
          const lane = String(parameters.lane)
          trace.push({ lane, at: '+', host: hostId })
          seed = (seed * 48_271) % 2_147_483_647
          await sleep(fleet.clock, seed % 40, signal)
          trace.push({ lane, at: '-', host: hostId })
          return null
        },
      },
      ...options,
    })
  return { ...fleet, host, trace }
}

describe('lanes', () => {
  it('keep the order of 200 runs in 20 lanes over 3 engines, never two at once', async () => {
    const { host, trace, memory, clock } = recordingFleet()
    const one = await host('one')
    const engines = [one, await host('two'), await host('three')]
    const { workflowPermanentId } = await one.createWorkflow({ title: 'T', definition, sequentialKey: '{{ lane }}' })
    const started: { lane: string; workflowRunId: string }[] = []
    for (let n = 0; n < 200; n++) {
      const engine = engines[n % 3] as typeof one
      const lane = `L${(n * 7) % 20}`
      const { workflowRunId } = await engine.startRun({ workflowPermanentId, parameters: { lane } })
      started.push({ lane, workflowRunId })
      await clock.advance(1)
    }
    await settle(Promise.all(started.map(({ workflowRunId }) => one.waitForRun({ workflowRunId }))), clock)
    const rows = await memory.find({ table: 'runs', limit: 1_000 })
    expect(rows.filter(({ status, attempt, isParked }) => status !== 'completed' || attempt !== 1 || isParked)).toEqual([])
    const startedAt = new Map(rows.map((row) => [row.workflowRunId, row.startedAt?.getTime() ?? 0]))
    for (const lane of new Set(started.map((run) => run.lane))) {
      const own = trace.filter((entry) => entry.lane === lane).map(({ at }) => at)
      expect(own.join('')).toBe('+-'.repeat(10)) // never two at once
      const times = started.filter((run) => run.lane === lane).map(({ workflowRunId }) => startedAt.get(workflowRunId) ?? 0)
      expect(times).toEqual([...times].sort((a, b) => a - b)) // in the order they were queued
      expect(new Set(times).size).toBe(10)
    }
    expect(new Set(trace.map((entry) => entry.host)).size).toBe(3) // the work was shared
    expect(await memory.count('leases')).toBe(0)
  })

  it('park their runs, which then take no worker; a free lane is not waited for', async () => {
    fleet = createFleet()
    const passed = gate()
    const handlers = {
      work: ({ parameters }: { parameters: Record<string, unknown> }) => (parameters.lane === 'a' ? passed.passed : null) as never,
    }
    const engine = await fleet.host('one', { concurrency: 2, handlers })
    const { workflowPermanentId } = await engine.createWorkflow({ title: 'T', definition, sequentialKey: '{{ lane }}' })
    const start = async (lane: string) => {
      await fleet.clock.advance(1)
      return engine.startRun({ workflowPermanentId, parameters: { lane } })
    }
    const first = await start('a')
    const waiting = [await start('a'), await start('a'), await start('a')]
    await until(async () => (await fleet.memory.count('runs', { isParked: true })) === 3)
    const other = await start('b')
    const free = await start('') // a key that renders empty is none
    expect((await settle(other.result(), fleet.clock, 1_000)).status).toBe('completed')
    expect((await settle(free.result(), fleet.clock, 1_000)).status).toBe('completed')
    expect(await runRow(fleet.memory, free.workflowRunId)).toMatchObject({ sequentialLane: null })
    expect(await runRow(fleet.memory, first.workflowRunId)).toMatchObject({ status: 'running' })
    expect(await fleet.memory.find({ table: 'leases' })).toMatchObject([
      { purpose: 'lane', leaseHolder: first.workflowRunId, leaseFence: 1 },
    ])
    passed.open()
    for (const run of waiting) expect((await settle(run.result(), fleet.clock, 5_000)).status).toBe('completed')
  })

  it('go on when their next run is canceled while it is parked, and when the one that has the lane is', async () => {
    fleet = createFleet()
    const hangs = ({ signal }: { signal: AbortSignal }) =>
      new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
    let hanging = 0
    const engine = await fleet.host('one', { handlers: { work: (params) => (hanging++ === 0 ? hangs(params) : null) } })
    const { workflowPermanentId } = await engine.createWorkflow({ title: 'T', definition, runSequentially: true })
    const runs = []
    for (let n = 0; n < 3; n++) {
      runs.push(await engine.startRun({ workflowPermanentId }))
      await fleet.clock.advance(1)
    }
    await until(async () => (await fleet.memory.count('runs', { isParked: true })) === 2)
    await engine.cancel({ workflowRunId: runs[1]?.workflowRunId ?? '' })
    await engine.cancel({ workflowRunId: runs[0]?.workflowRunId ?? '' })
    expect((await settle(runs[2]?.result() as never, fleet.clock, 5_000)) as object).toMatchObject({ status: 'completed' })
  })

  it('are of one organisation, and a key that cannot be rendered is an error without a row', async () => {
    fleet = createFleet()
    const engine = await fleet.host('one', { handlers: { work: () => null } })
    const { workflowPermanentId } = await engine.createWorkflow({ title: 'T', definition, sequentialKey: '{{ lane | nosuch }}' })
    const error = await failure(engine.startRun({ workflowPermanentId, parameters: { lane: 'x' } }))
    expect(error).toMatchObject({ code: 'SEQUENTIAL_KEY_FAILED', details: { workflowPermanentId } })
    expect(await fleet.memory.count('runs')).toBe(0)
  })

  it('go on when the storage fails in the middle of a hand-over, also where there is no other host to find it', async () => {
    fleet = createFleet()
    const { clock, memory } = fleet
    const passed = gate()
    const faulty = faultyStorage(memory)
    const handlers = { work: () => passed.passed as never }
    const engine = await fleet.host('one', { storage: faulty, handlers })
    const { workflowPermanentId } = await engine.createWorkflow({ title: 'T', definition, runSequentially: true })
    await engine.startRun({ workflowPermanentId })
    await clock.advance(1)
    const { workflowRunId } = await engine.startRun({ workflowPermanentId })
    await until(async () => (await runRow(memory, workflowRunId)).isParked)
    passed.open()
    faulty.reset({ failAtCall: 1, calls: ['find'] }) // the look for the next in the lane
    await clock.advance(1_000)
    expect(faulty.calls).toBeGreaterThan(0)
    expect(await runRow(memory, workflowRunId)).toMatchObject({ status: 'queued', isParked: true })
    await clock.advance(2_000)
    expect(await runRow(memory, workflowRunId)).toMatchObject({ status: 'completed' })
  })

  it('heal when the process dies at any commit of a hand-over: the sweep of another finds what waits', async () => {
    let deaths = 0
    for (let dieAt = 1; dieAt <= 14; dieAt++) {
      fleet = createFleet()
      const { clock, memory } = fleet
      const handlers = { work: () => null }
      const faulty = faultyStorage(memory, { failAtCall: Number.POSITIVE_INFINITY, calls: ['commit'], fails: 'onwards' })
      const dying = await fleet.host('dying', { storage: shared(faulty), handlers, leaseTtlMs: 3_000 })
      const { workflowPermanentId } = await dying.createWorkflow({ title: 'T', definition, runSequentially: true, onHostLost: 'resume' })
      const ids: string[] = []
      faulty.reset({ failAtCall: dieAt, calls: ['commit'], fails: 'onwards' })
      for (let n = 0; n < 3; n++) {
        const run = await dying.startRun({ workflowPermanentId }).catch(() => null)
        if (run !== null) ids.push(run.workflowRunId)
        await clock.advance(1)
      }
      await clock.advance(20)
      if (faulty.calls >= dieAt) deaths++
      const healing = await fleet.host('healing', { handlers, leaseTtlMs: 3_000 })
      for (const workflowRunId of ids) {
        await settle(healing.waitForRun({ workflowRunId }), clock, 60_000)
        expect(finals(await streamOf(memory, workflowRunId))).toHaveLength(1)
      }
      expect(await memory.count('leases')).toBe(0)
      expect(await memory.count('runs', { status: { notIn: ['completed', 'failed'] } })).toBe(0)
      await fleet.stop()
    }
    expect(deaths).toBeGreaterThan(10)
  })
})
