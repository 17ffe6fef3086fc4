import { expect, it } from 'vitest'
import { MemoryStorage, SessionPool, type Storage, WorkflowEngine } from '../../../src/index.js'
import { FakeBrowserDriver, FakeClock, sequentialIds } from '../../../src/testing/index.js'

/** Memory that says that it is shared: two hosts in one process. */
function sharedStorage(clock: FakeClock): Storage {
  const storage = new MemoryStorage({ clock })
  return new Proxy(storage, {
    get(target, key) {
      if (key === 'capabilities') return { durable: false, shared: true, notify: true }
      const value = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

const definition = { blocks: [{ type: 'code' as const, label: 'only', handler: 'who' }] }

function world() {
  const clock = new FakeClock()
  const ids = sequentialIds()
  const storage = sharedStorage(clock)
  const host = (hostId: string, options: { concurrency?: number; handler?: () => unknown } = {}) => {
    const sessions = new SessionPool({ storage, clock, ids, hostId, driver: new FakeBrowserDriver({ clock }), organizationId: 'acme' })
    const handlers = { who: (options.handler ?? (() => hostId)) as () => string }
    const engine = new WorkflowEngine({
      storage,
      sessions,
      clock,
      ids,
      hostId,
      handlers,
      organizationId: 'acme',
      concurrency: options.concurrency ?? 10,
    })
    return { sessions, engine }
  }
  return { clock, host }
}

it('begins runs that a busy host has queued, each once', async () => {
  const { clock, host } = world()
  const busy = host('busy', { concurrency: 1, handler: () => new Promise<never>(() => {}) })
  const idle = host('idle')
  await busy.engine.start()
  await idle.engine.start()
  const { workflowPermanentId } = await busy.engine.createWorkflow({ title: 'T', definition })
  const stuck = await busy.engine.startRun({ workflowPermanentId })
  await clock.advance(10)
  const waiting = await Promise.all([1, 2, 3].map(() => busy.engine.startRun({ workflowPermanentId })))
  await clock.advance(6_000)
  for (const { workflowRunId } of waiting) {
    expect(await idle.engine.getRun({ workflowRunId })).toMatchObject({ status: 'completed', attempt: 1, outputs: { only_output: 'idle' } })
  }
  expect(await idle.engine.getRun({ workflowRunId: stuck.workflowRunId })).toMatchObject({ status: 'running', attempt: 1 })
  await Promise.all([busy.engine.destroy(), clock.advance(1_000)])
  await idle.engine.stop()
  expect(clock.pendingTimers).toBe(0)
})

it('leaves a run that names a session to the host that has it', async () => {
  const { clock, host } = world()
  const owner = host('owner')
  const other = host('other')
  await owner.engine.start()
  await other.engine.start()
  const { browserSessionId } = await owner.sessions.create()
  const { workflowPermanentId } = await other.engine.createWorkflow({ title: 'T', definition })
  const { workflowRunId } = await other.engine.startRun({ workflowPermanentId, browserSessionId })
  await clock.advance(6_000)
  expect(await other.engine.getRun({ workflowRunId })).toMatchObject({ status: 'completed', outputs: { only_output: 'owner' } })
  await Promise.all([owner.engine.stop(), other.engine.stop(), clock.advance(1_000)])
})
