import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { InProcessDispatcher, type RunDispatcher } from '../../../src/engine/index.js'
import { type FaultyStorage, faultyStorage } from '../../../src/testing/index.js'
import { code, createWorld, FINAL_TYPES, finals, handlers, settle, startEngine, startHost, streamOf } from './kit.js'

const rejections: unknown[] = []
const onRejection = (reason: unknown) => void rejections.push(reason)
beforeEach(() => void process.on('unhandledRejection', onRejection))
afterEach(() => {
  process.off('unhandledRejection', onRejection)
  expect(rejections.splice(0)).toEqual([])
})

const site = { 'https://a.test/': { title: 'A', elements: [{ css: '#go' }, { css: '#name' }] } }
const definition = {
  parameters: [{ kind: 'workflow' as const, key: 'list', type: 'json' as const, default: [1, 2] }],
  blocks: [
    {
      type: 'action' as const,
      label: 'go',
      url: 'https://a.test/',
      steps: [{ type: 'click' as const, target: { css: '#go' } }, { type: 'wait' as const, waitSec: 1 }, { type: 'screenshot' as const }],
    },
    code('flaky', 'flaky', { maxRetries: 1 }),
    {
      type: 'for_loop' as const,
      label: 'loop',
      loopOverParameterKey: 'list',
      loopBlocks: [code('x'), code('y', 'fail', { continueOnFailure: true })],
    },
    code('last'),
  ],
  finallyBlockLabel: 'last',
}

/** A host whose storage can be told to fail; session and workflow are there already. */
async function prepare(withSession: boolean) {
  let storage!: FaultyStorage
  const world = createWorld((memory) => {
    storage = faultyStorage(memory)
    return storage
  })
  let calls = 0
  const flaky = () => {
    if (++calls === 1) throw new Error('once')
    return calls
  }
  const { dispatcher, work } = watchedDispatcher()
  const host = await startHost({ world, driver: { site }, engine: { dispatcher, handlers: { ...handlers, flaky } } })
  const { workflowPermanentId } = await host.engine.createWorkflow({ title: 'A test', definition })
  const session = withSession ? await host.pool.create() : null
  const startRun = () =>
    host.engine.startRun({ workflowPermanentId, ...(session === null ? {} : { browserSessionId: session.browserSessionId }) })
  return { ...host, storage, startRun, session, work }
}

/** A dispatcher that knows what is under way. */
function watchedDispatcher() {
  const inner = new InProcessDispatcher()
  const work: Promise<unknown>[] = []
  const dispatcher: RunDispatcher = {
    start: (handler) =>
      inner.start((...params) => {
        const execution = handler(...params)
        work.push(execution)
        return execution
      }),
    dispatch: (...params) => inner.dispatch(...params),
    stop: () => inner.stop(),
  }
  return { dispatcher, work }
}

/** Starts the run and lets time pass until it is no longer executed. */
async function attempt({ startRun, clock, work }: Awaited<ReturnType<typeof prepare>>): Promise<void> {
  await settle(
    startRun().catch(() => null), // the storage may fail the call itself
    clock,
  )
  await new Promise((resolve) => setImmediate(resolve)) // the dispatcher’s turn
  await settle(Promise.all(work), clock)
}

async function check(host: Awaited<ReturnType<typeof prepare>>, place: string): Promise<string> {
  const { engine, pool, clock, driver, memory, world, session } = host
  host.storage.reset()
  await settle(engine.destroy(), clock)
  await settle(pool.stop(), clock)
  expect([place, 'timers', clock.pendingTimers]).toEqual([place, 'timers', 0])
  expect([place, 'browsers', driver.liveHandles]).toEqual([place, 'browsers', 0])
  const [run] = await memory.find({ table: 'runs' })
  const events = await streamOf(memory)
  const ends = finals(events)
  if (run === undefined) {
    expect([place, events]).toEqual([place, []])
    return 'absent'
  }
  const isFinal = FINAL_TYPES.includes(`run.${run.status}`)
  expect([place, ends.length]).toEqual([place, isFinal ? 1 : 0])
  if (isFinal) {
    expect([place, events.at(-1)?.type]).toEqual([place, `run.${run.status}`])
    expect([place, await memory.count('run_blocks', { status: 'running' })]).toEqual([place, 0])
  }
  expect([place, new Set(events.map(({ id }) => id)).size]).toEqual([place, events.length])
  if (session !== null) {
    const row = await memory.get('browser_sessions', session.browserSessionId)
    expect([place, row?.leaseToken]).toEqual([place, null])
  }
  // whoever comes after understands what is there
  const next = await startEngine({ handlers: { ...handlers, flaky: () => 1 } }, { ...world, storage: memory })
  if (run.status === 'queued') await settle(next.engine.waitForRun({ workflowRunId: run.workflowRunId }), clock)
  expect([place, (await next.run({ blocks: [code('a')] })).status]).toEqual([place, 'completed'])
  return run.status
}

describe('a storage that fails once, at any call of a run', () => {
  it.each([
    ['with a named session, before the work is done', true, 'before'],
    ['with a named session, after the work is done', true, 'after'],
    ['with a private browser, before the work is done', false, 'before'],
    ['with a private browser, after the work is done', false, 'after'],
  ] as const)(
    'leaves the run ended, or rows that others understand, and nothing else: %s',
    async (_, withSession, when) => {
      const statuses = new Map<string, number>()
      for (let failAtCall = 1; ; failAtCall++) {
        const host = await prepare(withSession)
        host.storage.reset({ failAtCall, when })
        await attempt(host)
        const { calls } = host.storage
        const status = await check(host, `call ${failAtCall} ${when}`)
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
        if (calls < failAtCall) {
          expect(status).toBe('completed')
          break
        }
      }
      expect(statuses.get('completed')).toBeGreaterThan(1)
    },
    120_000,
  )

  it('and for good: the execution stops, and its browser with it', async () => {
    for (let failAtCall = 1; failAtCall < 40; failAtCall += 3) {
      const host = await prepare(failAtCall % 2 === 0)
      host.storage.reset({ failAtCall, fails: 'onwards' })
      await attempt(host)
      await check(host, `from call ${failAtCall} on`)
    }
  }, 120_000)
})
