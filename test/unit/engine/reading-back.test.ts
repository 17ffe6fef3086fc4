import { describe, expect, it } from 'vitest'
import { EventFactory } from '../../../src/engine/event-factory.js'
import { RunReader } from '../../../src/engine/run-reader.js'
import type { AnyEvent, EventPayload } from '../../../src/events/index.js'
import { guardStorage, MemoryStorage, type NewEvent, type NewRow, type RunRow, storageNow, type Write } from '../../../src/storage/index.js'
import { FakeClock, sequentialIds } from '../../../src/testing/index.js'
import { code, failure, settle, startEngine, types, until } from './kit.js'
import { asking } from './people-kit.js'

const events = new EventFactory(sequentialIds())

/** A run on record that has ended, and what there is of its webhook. */
async function endedRun(delivery?: 'pending' | 'delivered') {
  const clock = new FakeClock()
  const storage = guardStorage(new MemoryStorage({ clock }))
  await storage.open()
  const row: NewRow<RunRow> = {
    ...{ workflowRunId: 'wr_1', rootWorkflowRunId: 'wr_1', organizationId: 'acme', workflowId: 'wf_1', workflowPermanentId: 'wpid_1' },
    ...{ workflowTitle: 'A test', runType: 'workflow', status: 'completed', parameters: {}, isParked: false, hasDependents: false },
    ...{
      ownsSession: false,
      dryRun: false,
      priority: 0,
      leaseFence: 1,
      attempt: 1,
      takeovers: 0,
      pausedMs: 0,
      stepCount: 0,
      actionCount: 0,
    },
    ...{ createdAt: storageNow(), modifiedAt: storageNow() },
  }
  const final: NewEvent = { ...events.create('acme', 'run.completed', {} as EventPayload<'run.completed'>) }
  const deliveries: Write[] =
    delivery === undefined
      ? []
      : [
          {
            op: 'insert',
            table: 'webhook_deliveries',
            row: {
              ...{ deliveryId: 'whd_1', organizationId: 'acme', workflowRunId: 'wr_1', url: 'https://a.test/', body: {}, status: delivery },
              ...{ attempts: 0, leaseFence: 0, createdAt: storageNow(), modifiedAt: storageNow() },
            },
          },
        ]
  const append = (...list: NewEvent[]) => storage.commit([{ op: 'append', stream: 'run:wr_1', events: list }])
  await storage.commit([{ op: 'insert', table: 'runs', row }, ...deliveries])
  await append(final)
  const reader = new RunReader({ storage, clock })
  const ref = { organizationId: 'acme', workflowRunId: 'wr_1' }
  const read = async (options: { after?: number; includeAfterFinal?: boolean } = {}) => {
    const read: AnyEvent[] = []
    for await (const event of reader.events({ ...ref, ...options })) read.push(event)
    return types(read)
  }
  const told = { workflowRunId: 'wr_1', deliveryId: 'whd_1', url: 'https://a.test/', attempt: 1 }
  const failed = (nextAttemptAt: string | null) =>
    append(
      events.create('acme', 'webhook.failed', { ...told, statusCode: 500, reason: 'no', nextAttemptAt } as EventPayload<'webhook.failed'>),
    )
  const delivered = () =>
    append(events.create('acme', 'webhook.delivered', { ...told, statusCode: 200 } as EventPayload<'webhook.delivered'>))
  return { clock, read, failed, delivered }
}

describe('the events after the final one', () => {
  const all = { includeAfterFinal: true }

  it('are read when they are asked for, to the end of the webhook', async () => {
    const { read, failed, delivered } = await endedRun('pending')
    await failed('2026-01-01T00:00:01.000Z')
    await delivered()
    expect(await read(all)).toEqual(['run.completed', 'webhook.failed', 'webhook.delivered'])
    expect(await read({ ...all, after: 1 })).toEqual(['webhook.failed', 'webhook.delivered'])
    expect(await read()).toEqual(['run.completed'])
    expect(await read({ after: 1 })).toEqual([])
  })

  it('end with an attempt that is the last, too', async () => {
    const { read, failed } = await endedRun('pending')
    await failed(null)
    expect(await read(all)).toEqual(['run.completed', 'webhook.failed'])
  })

  it('are waited for while the result is on its way', async () => {
    const { read, delivered, clock } = await endedRun('pending')
    const reading = read({ ...all, after: 1 })
    let isRead = false
    void reading.then(() => (isRead = true))
    await clock.advance(5_000)
    expect(isRead).toBe(false)
    await delivered()
    expect(await settle(reading, clock)).toEqual(['webhook.delivered'])
  })

  it('are none where nothing is delivered, or it was read already', async () => {
    const none = await endedRun()
    expect(await none.read(all)).toEqual(['run.completed'])
    expect(await none.read({ ...all, after: 1 })).toEqual([])
    const done = await endedRun('delivered')
    await done.delivered()
    expect(await done.read({ ...all, after: 2 })).toEqual([])
  })
})

describe('the result of a run', () => {
  it('is had once it has ended, and not before', async () => {
    const host = await startEngine()
    const handle = await host.start(asking())
    await until(async () => (await host.engine.getRun(handle)).status === 'paused')
    expect(await failure(host.engine.getRunResult(handle))).toMatchObject({ code: 'RUN_NOT_ENDED', details: { status: 'paused' } })
    const waiting = handle.result()
    await host.clock.advance(60_000)
    await handle.resume({ decision: 'approve' })
    const result = await settle(waiting, host.clock)
    expect(await host.engine.getRunResult(handle)).toEqual(result)
    expect(await failure(host.engine.getRunResult({ workflowRunId: 'wr_9' }))).toMatchObject({ code: 'RUN_NOT_FOUND' })
    expect(await failure(host.engine.forOrganization('other').getRunResult(handle))).toMatchObject({ code: 'RUN_NOT_FOUND' })
  })
})

describe('the last run for a session', () => {
  it('is the newest that is queued, else the newest that runs', async () => {
    const host = await startEngine()
    const { engine, memory, clock } = host
    const get = async () => (await engine.getLastRunForSession({ browserSessionId: 'bs_1' }))?.workflowRunId ?? null
    expect(await get()).toBeNull()
    const put = async (id: string, set: Partial<RunRow>) => {
      await clock.advance(1_000)
      await memory.commit([{ op: 'update', table: 'runs', id, set: { browserSessionId: 'bs_1', ...set, modifiedAt: clock.now() } }])
    }
    for (let n = 0; n < 4; n++) await host.run({ blocks: [code('a')] })
    const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 0, minute))
    await put('wr_1', {})
    expect(await get()).toBeNull() // it has ended
    await put('wr_2', { status: 'running', startedAt: at(9) })
    await put('wr_3', { status: 'running', startedAt: at(5) })
    expect(await get()).toBe('wr_2')
    await put('wr_4', { status: 'queued' })
    expect(await get()).toBe('wr_4')
    await put('wr_1', { status: 'queued' })
    expect(await get()).toBe('wr_1')
    expect(await engine.forOrganization('other').getLastRunForSession({ browserSessionId: 'bs_1' })).toBeNull()
  })
})
