import { describe, expect, it } from 'vitest'
import { createEndUnexecuted } from '../../../src/engine/end-unexecuted.js'
import { EventFactory } from '../../../src/engine/event-factory.js'
import { outcomes } from '../../../src/engine/run-outcome.js'
import type { AnyEvent } from '../../../src/events/index.js'
import { guardStorage, type RunRow } from '../../../src/storage/index.js'
import { code, createWorld, handlers, runRow, startEngine, streamOf, types, until } from './kit.js'
import { expectSound } from './takeover-kit.js'

/** A run that waits, and what ends it; the engine itself is busy with another. */
async function waiting(params: Parameters<Awaited<ReturnType<typeof startEngine>>['start']>[1] = {}) {
  const world = createWorld()
  const host = await startEngine(
    { concurrency: 1, webhooks: { unsigned: true }, handlers: { ...handlers, hang: () => new Promise<null>(() => {}) } },
    world,
  )
  await host.start({ blocks: [code('busy', 'hang')] })
  const { workflowRunId } = await host.start({ blocks: [code('a')] }, params)
  const emitted: AnyEvent[] = []
  const ended: RunRow[] = []
  const storage = guardStorage(world.storage)
  const workflow = { definition: { parameters: [] }, blocks: new Map() }
  const endUnexecuted = createEndUnexecuted({
    storage,
    workflows: { loadPinned: async () => workflow } as never,
    events: new EventFactory(world.ids),
    emit: (event) => emitted.push(event),
    ids: world.ids,
    ends: { ended: (run) => ended.push(run) },
  })
  return { ...host, workflowRunId, emitted, ended, endUnexecuted }
}

describe('the end of a run that nobody executes', () => {
  it('is one commit: row, final event, delivery; whoever waits for it hears of the row', async () => {
    const { memory, workflowRunId, emitted, ended, endUnexecuted } = await waiting({ webhookCallbackUrl: 'https://hook.test/' })
    const run = await runRow(memory, workflowRunId)
    const row = await endUnexecuted(run, outcomes.failed('the run that it waits for has failed', 'DEPENDENCY_FAILED'))
    expect(row).toMatchObject({
      status: 'failed',
      errorCode: 'DEPENDENCY_FAILED',
      webhookStatus: 'pending',
      startedAt: null,
      durationMs: null,
    })
    expect(ended).toEqual([row])
    expect(types(emitted)).toEqual(['run.failed'])
    await expectSound(memory, 'queued', workflowRunId)
    const [delivery] = await memory.find({ table: 'webhook_deliveries' })
    expect(delivery).toMatchObject({ workflowRunId, url: 'https://hook.test/', status: 'pending' })
    expect(delivery?.body).toEqual((await streamOf(memory, workflowRunId)).at(-1)?.payload)
  })

  it('does nothing to a run that changed meanwhile, nor once a cancel was asked for', async () => {
    const { memory, workflowRunId, ended, endUnexecuted } = await waiting()
    const run = await runRow(memory, workflowRunId)
    await memory.commit([{ op: 'update', table: 'runs', id: workflowRunId, set: { cancelRequestedAt: new Date(1) } }])
    expect(await endUnexecuted(run, outcomes.failed('no', 'NO'))).toBeNull()
    await memory.commit([{ op: 'update', table: 'runs', id: workflowRunId, set: { leaseFence: 1 } }])
    expect(await endUnexecuted(run, outcomes.canceled('ada'), 'ada')).toBeNull()
    expect(ended).toEqual([])
    expect((await runRow(memory, workflowRunId)).status).toBe('queued')
  })

  it('is not held up by a lane that is gone', async () => {
    const { memory, workflowRunId, endUnexecuted } = await waiting()
    await memory.commit([
      { op: 'update', table: 'runs', id: workflowRunId, set: { leaseFence: 1, sequentialLane: 'gone', sessionLane: 'there' } },
    ])
    const row = {
      leaseId: 'there',
      organizationId: 'acme',
      purpose: 'lane' as const,
      leaseHolder: workflowRunId,
      leaseFence: 1,
      createdAt: new Date(0),
    }
    await memory.commit([{ op: 'insert', table: 'leases', row }])
    const ended = await endUnexecuted(await runRow(memory, workflowRunId), outcomes.canceled('ada'), 'ada')
    expect(ended).toMatchObject({ status: 'canceled', cancelRequestedBy: 'ada' })
    expect(await memory.count('leases')).toBe(0)
  })
})

describe('a cancel', () => {
  it('reaches the runs below a run, at any depth', async () => {
    const { engine, memory, workflowRunId, start } = await waiting()
    const below = await start({ blocks: [code('b')] })
    await memory.commit([{ op: 'update', table: 'runs', id: workflowRunId, set: { parentWorkflowRunId: 'wr_1' } }])
    await memory.commit([{ op: 'update', table: 'runs', id: below.workflowRunId, set: { parentWorkflowRunId: workflowRunId } }])
    await engine.cancel({ workflowRunId: 'wr_1', by: 'ada' })
    for (const id of [workflowRunId, below.workflowRunId]) {
      expect(await runRow(memory, id)).toMatchObject({ status: 'canceled', cancelRequestedBy: 'ada' })
    }
    await until(async () => (await runRow(memory, 'wr_1')).cancelRequestedAt !== null)
  })
})
