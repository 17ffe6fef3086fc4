import { describe, expect, it } from 'vitest'
import { claimKindOf, continuesAfterLoss } from '../../../src/engine/dispatch/claim-kind.js'
import { lanesFor } from '../../../src/engine/dispatch/lane-names.js'
import { EventFactory } from '../../../src/engine/event-factory.js'
import { RunLeases } from '../../../src/engine/run-leases.js'
import type { AnyEvent } from '../../../src/events/index.js'
import { silentLogger } from '../../../src/runtime/index.js'
import type { Changes, RunRow } from '../../../src/storage/index.js'
import { code, createWorld, runRow, startEngine, streamOf, until } from './kit.js'

const LONG_AGO = new Date(0)

describe('what a run can be claimed as', () => {
  const row = { status: 'running', leaseHolder: null, pauseDecision: null, cancelRequestedAt: null } as const
  it.each([
    [{ status: 'queued' }, 'start'],
    [{}, 'handOver'],
    [{ pauseDecision: { decision: 'approve' } }, 'resume'],
    [{ leaseHolder: 'somebody' }, 'takeOver'],
    [{ status: 'paused' }, null],
    [{ status: 'paused', cancelRequestedAt: LONG_AGO }, 'end'],
    [{ status: 'created' }, null],
    [{ status: 'completed' }, null],
  ] as const)('%j: %s', (changes, kind) => {
    expect(claimKindOf({ ...row, ...changes } as never)).toBe(kind)
  })

  it('goes on only where its workflow says so, its end is not decided, and it was not taken over too often', () => {
    const run = { pendingOutcome: null, cancelRequestedAt: null, takeovers: 3 }
    expect(continuesAfterLoss(run, 'resume')).toBe(true)
    expect(continuesAfterLoss(run, 'fail')).toBe(false)
    expect(continuesAfterLoss({ ...run, takeovers: 4 }, 'resume')).toBe(false)
    expect(continuesAfterLoss({ ...run, pendingOutcome: {} }, 'resume')).toBe(false)
    expect(continuesAfterLoss({ ...run, cancelRequestedAt: LONG_AGO }, 'resume')).toBe(false)
  })
})

describe('a claim of a run that has begun', () => {
  async function claimed(changes: Changes<RunRow>, options: { onHostLost?: 'resume' | 'fail'; ttlMs?: number } = {}) {
    const world = createWorld()
    const { memory, clock, ids } = world
    const { start } = await startEngine({ handlers: { wait: () => new Promise<never>(() => {}) }, hostId: 'first' }, world)
    await start({ blocks: [code('a', 'wait')] })
    await until(async () => (await memory.count('run_blocks')) === 1)
    await memory.commit([{ op: 'update', table: 'runs', id: 'wr_1', set: changes }])
    const emitted: AnyEvent[] = []
    const leases = new RunLeases({
      ...{ storage: memory, clock, logger: silentLogger, hostId: 'second', ttlMs: 30_000 },
      events: new EventFactory(ids),
      emit: (event) => emitted.push(event),
      onHostLostOf: async () => options.onHostLost ?? 'resume',
    })
    const before = (await streamOf(memory)).length
    const claim = await leases.claim('wr_1')
    return { claim, told: (await streamOf(memory)).slice(before), row: await runRow(memory) }
  }

  it('takes a lapsed lease over, and counts it', async () => {
    const { claim, told, row } = await claimed({ leaseExpiresAt: LONG_AGO })
    expect(claim).toMatchObject({ kind: 'takeOver', run: { leaseHolder: 'second', leaseFence: 2, attempt: 2, takeovers: 1 } })
    expect(told).toMatchObject([{ type: 'run.recovered', payload: { formerHolder: 'first', continues: true, attempt: 2, leaseFence: 2 } }])
    expect(row).toMatchObject({ leaseFence: 2, attempt: 2 })
  })

  it('leaves a lease alone that has not lapsed', async () => {
    const { claim, told, row } = await claimed({})
    expect(claim).toBeNull()
    expect(told).toEqual([])
    expect(row).toMatchObject({ leaseHolder: 'first', leaseFence: 1 })
  })

  it('takes one that was given back: an attempt, no takeover', async () => {
    const { claim, told } = await claimed({ leaseHolder: null, leaseExpiresAt: null }, { onHostLost: 'fail' })
    expect(claim).toMatchObject({ kind: 'handOver', run: { attempt: 2, takeovers: 0 } })
    expect(told).toMatchObject([{ type: 'run.recovered', payload: { formerHolder: null, continues: false } }])
  })

  it('goes on after a pause: neither attempt nor event', async () => {
    const { claim, told } = await claimed({ leaseHolder: null, leaseExpiresAt: null, pauseDecision: { decision: 'approve' } })
    expect(claim).toMatchObject({ kind: 'resume', run: { leaseFence: 2, attempt: 1, status: 'running' } })
    expect(told).toEqual([])
  })

  it('takes a paused one that was canceled, to end it', async () => {
    const { claim, told } = await claimed({ status: 'paused', leaseHolder: null, leaseExpiresAt: null, cancelRequestedAt: LONG_AGO })
    expect(claim).toMatchObject({ kind: 'end', run: { leaseFence: 2, attempt: 1, status: 'running' } })
    expect(told).toEqual([])
  })
})

describe('the lanes of a run', () => {
  const params = {
    organizationId: 'acme',
    workflowPermanentId: 'wpid_1',
    runSequentially: false,
    sequentialKey: null,
    browserSessionId: null,
  }

  it('are named after organisation and workflow, key or session; two lists of parts never give one name', () => {
    expect(lanesFor(params)).toEqual({ sequentialLane: null, sessionLane: null })
    expect(lanesFor({ ...params, sequentialKey: '' }).sequentialLane).toBeNull()
    expect(lanesFor({ ...params, runSequentially: true, sequentialKey: 'k' }).sequentialLane).toBe('lane:acme:workflow:wpid_1')
    expect(lanesFor({ ...params, sequentialKey: 'k' }).sequentialLane).toBe('lane:acme:key:wpid_1:k')
    expect(lanesFor({ ...params, browserSessionId: 'bs_1' }).sessionLane).toBe('lane:acme:session:bs_1')
    const long = lanesFor({ ...params, sequentialKey: 'x'.repeat(10_000) }).sequentialLane ?? ''
    expect(long.length).toBeLessThan(120)
    const names = ['a:b', '#a', 'x'.repeat(200), `${'x'.repeat(199)}y`].map(
      (sequentialKey) => lanesFor({ ...params, sequentialKey }).sequentialLane,
    )
    expect(new Set(names).size).toBe(4)
    const foreign = lanesFor({ ...params, organizationId: 'acme:key:wpid_1', sequentialKey: 'k' }).sequentialLane
    expect(foreign).not.toContain('acme:key')
  })
})
