import { expect, it } from 'vitest'
import { MemoryStorage, WorkflowEngine } from '../../../src/index.js'
import { FakeClock, sequentialIds } from '../../../src/testing/index.js'

const LEASE_MS = 30_000

/** Two hosts on one storage, which claims to be shared, as only then there are other hosts; the first executes a run that never ends, and is cut off from its storage as a frozen host is. */
async function frozenHost(finallyBlock = false) {
  const clock = new FakeClock()
  const storage = new MemoryStorage({ clock })
  let isFrozen = false
  const cut = new Proxy(storage, {
    get(target, key) {
      if (key === 'capabilities') return { durable: true, shared: true, notify: true }
      const value = Reflect.get(target, key)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => (isFrozen && key === 'commit' ? new Promise(() => {}) : value.apply(target, args))
    },
  })
  let lasts = 0
  const last = () => (++lasts === 1 ? new Promise<void>(() => {}) : 'done') // hangs where the host is lost
  const handlers = { first: () => 'done', hang: () => new Promise<void>(() => {}), last }
  const ids = sequentialIds()
  const make = (hostId: string, from: MemoryStorage) =>
    new WorkflowEngine({ storage: from, clock, ids, organizationId: 'acme', handlers, hostId })
  const one = make('one', cut)
  await one.start()
  const { workflowPermanentId } = await one.createWorkflow({
    title: 'Hangs',
    definition: {
      blocks: [
        { type: 'code', label: 'first', handler: 'first' },
        { type: 'code', label: 'second', handler: finallyBlock ? 'first' : 'hang' },
        ...(finallyBlock ? [{ type: 'code' as const, label: 'last', handler: 'last' }] : []),
      ],
      ...(finallyBlock ? { finallyBlockLabel: 'last' } : {}),
    },
  })
  const { workflowRunId } = await one.startRun({ workflowPermanentId })
  await clock.advance(10)
  const freeze = () => {
    isFrozen = true
  }
  const shared = new Proxy(storage, {
    get: (target, key) => {
      if (key === 'capabilities') return { durable: true, shared: true, notify: true }
      const value = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return { clock, storage, workflowRunId, freeze, two: make('two', shared) }
}

it('fails the run of a host that is gone, once its lease has lapsed, and closes its blocks', async () => {
  const { clock, storage, workflowRunId, freeze, two } = await frozenHost()
  freeze()
  await two.start()
  await clock.advance(LEASE_MS - 5_000)
  expect(await two.getRun({ workflowRunId })).toMatchObject({ status: 'running' })
  await clock.advance(10_000)
  expect(await two.getRun({ workflowRunId })).toMatchObject({ status: 'failed', errorCode: 'HOST_LOST' })
  expect(await two.waitForRun({ workflowRunId })).toMatchObject({
    status: 'failed',
    errors: [{ blockLabel: 'second', code: 'HOST_LOST' }],
    outputs: { first_output: 'done' },
  })
  const blocks = await storage.find({ table: 'run_blocks', where: { workflowRunId }, orderBy: [{ column: 'sequence' }] })
  expect(blocks.map(({ label, status }) => [label, status])).toEqual([
    ['first', 'completed'],
    ['second', 'failed'],
  ])
  const events = await storage.readEvents({ stream: `run:${workflowRunId}` })
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
  expect(events.slice(-2).map(({ type }) => type)).toEqual(['block.failed', 'run.failed'])
  await two.stop()
})

it('ends a run in the way that it was about to end, after the finally block that had not ended', async () => {
  const { clock, workflowRunId, freeze, two } = await frozenHost(true)
  freeze()
  await two.start()
  await clock.advance(LEASE_MS + 10_000)
  expect(await two.getRun({ workflowRunId })).toMatchObject({
    status: 'completed',
    outputs: { first_output: 'done', second_output: 'done', last_output: 'done' },
  })
  await two.stop()
})

it('cancels a run whose cancel was asked for before its host died', async () => {
  const { clock, workflowRunId, freeze, two } = await frozenHost()
  freeze()
  await two.start()
  await two.cancel({ workflowRunId, by: 'ada' })
  await clock.advance(LEASE_MS + 10_000)
  expect(await two.getRun({ workflowRunId })).toMatchObject({ status: 'canceled', failureReason: 'canceled by ada' })
  await two.stop()
})

it('leaves the runs of living hosts alone', async () => {
  const { clock, workflowRunId, two } = await frozenHost()
  await two.start()
  await clock.advance(LEASE_MS * 3)
  expect(await two.getRun({ workflowRunId })).toMatchObject({ status: 'running' })
  await two.cancel({ workflowRunId })
  await two.stop()
})
