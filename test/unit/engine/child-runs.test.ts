import { describe, expect, it } from 'vitest'
import { MAX_TRIGGER_DEPTH } from '../../../src/engine/children/ancestors.js'
import { MemoryCredentialProvider } from '../../../src/engine/index.js'
import type { MemoryStorage, Write } from '../../../src/storage/index.js'
import {
  begun,
  blockRows,
  code,
  createWorld,
  type Definition,
  gate,
  handlers,
  runRow,
  settle,
  startEngine,
  startHost,
  types,
  until,
  watchedStorage,
} from './kit.js'

type Host = Awaited<ReturnType<typeof startEngine>>
const hangs = ({ signal }: { signal: AbortSignal }) =>
  new Promise<null>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
const own = { handlers: { ...handlers, hangs, wait: hangs, echo: ({ parameters }: { parameters: object }) => ({ ...parameters }) } }
const trigger = (workflowPermanentId: string, more: object = {}) => ({
  type: 'workflow_trigger' as const,
  label: 'call',
  workflowPermanentId,
  ...more,
})
const parameter = { kind: 'workflow' as const, key: 'n', type: 'integer' as const }

async function workflow({ engine }: Pick<Host, 'engine'>, definition: Definition, more: object = {}): Promise<string> {
  return (await engine.createWorkflow({ title: 'Child', definition, ...more })).workflowPermanentId
}
/** Memory that says that it is shared, so that the engine sweeps. */
function sharedWorld() {
  const shared = (inner: MemoryStorage) =>
    Object.assign(watchedStorage(inner).storage, { capabilities: { ...inner.capabilities, shared: true } })
  return createWorld(shared)
}
const childrenOf = ({ memory }: Pick<Host, 'memory'>, id = 'wr_1') => memory.find({ table: 'runs', where: { parentWorkflowRunId: id } })
const isAt = ({ memory }: Pick<Host, 'memory'>, id: string, status: string) =>
  until(async () => (await memory.get('runs', id))?.status === status, `${id} ${status}`)

describe('a block that triggers a run', () => {
  it('waits for it, takes no worker meanwhile, and gives what it came to', async () => {
    const host = await startEngine({ ...own, concurrency: 1 })
    const child = await workflow(host, { parameters: [parameter], blocks: [code('echo', 'echo')] })
    const result = await host.run({ blocks: [trigger(child, { payload: { n: 3 } })] }, { priority: 4 })
    expect(result).toMatchObject({ status: 'completed' })
    expect(result.outputs).toEqual({ call_output: { workflowRunId: 'wr_2', status: 'completed', outputs: { echo_output: { n: 3 } } } })
    expect(await childrenOf(host)).toMatchObject([
      { rootWorkflowRunId: 'wr_1', awaitedByRunBlockId: 'rb_1', priority: 4, status: 'completed' },
    ])
    expect(await host.engine.listRuns()).toHaveLength(1)
    expect(await host.engine.listRuns({ includeChildren: true })).toHaveLength(2)
  })

  it('fails with it, and starts another when it is made again', async () => {
    const host = await startEngine(own)
    const child = await workflow(host, { blocks: [code('break', 'fail')] })
    const result = await host.run({ blocks: [trigger(child, { maxRetries: 1 })] })
    expect(result).toMatchObject({ status: 'failed', errorCode: 'CHILD_RUN_FAILED' })
    expect(result.failureReason).toContain('ended failed: Block "break" failed')
    expect(await blockRows(host.memory)).toMatchObject([
      { attempt: 1, output: { workflowRunId: 'wr_2', status: 'failed' } },
      { attempt: 2, output: { workflowRunId: 'wr_3', status: 'failed' } },
    ])
  })

  it('does not wait when it is told so; the run goes on after its parent has ended', async () => {
    const host = await startEngine(own)
    const child = await workflow(host, { blocks: [{ type: 'wait', label: 'pause', waitSec: 5 }] })
    const result = await host.run({ blocks: [trigger(child, { waitForCompletion: false })] })
    expect(result).toMatchObject({
      status: 'completed',
      outputs: { call_output: { workflowRunId: 'wr_2', status: 'running', outputs: null } },
    })
    expect(await settle(host.engine.waitForRun({ workflowRunId: 'wr_2' }), host.clock)).toMatchObject({ status: 'completed' })
  })

  it('fails when there is no such workflow, or its parameters do not fit', async () => {
    const host = await startEngine(own)
    const child = await workflow(host, { parameters: [parameter], blocks: [code('echo', 'echo')] })
    expect(await host.run({ blocks: [trigger('wpid_none')] })).toMatchObject({ status: 'failed', errorCode: 'WORKFLOW_NOT_FOUND' })
    expect(await host.run({ blocks: [trigger(child, { payload: { n: 'x' } })] })).toMatchObject({
      status: 'failed',
      errorCode: 'INVALID_PARAMETERS',
    })
    expect(await childrenOf(host, 'wr_2')).toMatchObject([{ status: 'failed', errorCode: 'INVALID_PARAMETERS' }])
  })

  it('hands no secret on', async () => {
    const credentials = { memory: new MemoryCredentialProvider({ site: 'hunter2hunter2' }) }
    const host = await startEngine({ ...own, credentials })
    const child = await workflow(host, { parameters: [{ kind: 'workflow', key: 's', type: 'string' }], blocks: [code('echo', 'echo')] })
    const parameters = [{ kind: 'secret' as const, key: 'KEY', provider: 'memory', name: 'site' }]
    const result = await host.run({ parameters, blocks: [trigger(child, { payload: { s: 'with {{ KEY }}' } })] })
    expect(result).toMatchObject({ status: 'failed', errorCode: 'SECRET_IN_PAYLOAD' })
    expect(await childrenOf(host)).toEqual([])
  })

  it(`is refused beyond ${MAX_TRIGGER_DEPTH} runs below the first`, async () => {
    const host = await startEngine(own)
    // ids are made in order: the workflow calls itself
    const result = await host.run({ blocks: [trigger('wpid_1')] })
    expect(result).toMatchObject({ status: 'failed', errorCode: 'CHILD_RUN_FAILED' })
    const runs = await host.memory.find({ table: 'runs' })
    expect(runs).toHaveLength(MAX_TRIGGER_DEPTH + 1)
    expect(runs.filter(({ errorCode }) => errorCode === 'TRIGGER_DEPTH_EXCEEDED')).toMatchObject([
      { workflowRunId: `wr_${MAX_TRIGGER_DEPTH + 1}` },
    ])
  })

  it('is refused where the run would wait for the lane of one that waits for it', async () => {
    const host = await startEngine(own)
    const result = await host.run({ blocks: [trigger('wpid_1')] }, { workflow: { runSequentially: true } })
    expect(result).toMatchObject({ status: 'failed', errorCode: 'CHILD_RUN_DEADLOCK' })
    expect(await childrenOf(host)).toMatchObject([{ status: 'canceled' }])
  })

  it('holds it to the policy of its own run, and only checks what is only checked', async () => {
    const host = await startEngine(own)
    const child = await workflow(host, { blocks: [code('noop')] })
    await host.run({ blocks: [trigger(child)] }, { scopePolicy: { allowedDomains: ['a.test'] } })
    const [run] = await childrenOf(host)
    expect(run?.scopePolicy).toEqual((await runRow(host.memory)).scopePolicy)
    expect(run?.scopePolicy).not.toBeNull()
  })

  it('is not started by a run that was canceled in that moment', async () => {
    const world = createWorld()
    const passed = gate()
    const isChild = (write: Write) => write.op === 'insert' && write.table === 'runs' && write.row.parentWorkflowRunId != null
    const { storage, watched } = watchedStorage(world.memory)
    watched.before = (batch) => (batch.some(isChild) ? passed.passed : undefined)
    const host = await startEngine(own, { ...world, storage })
    const child = await workflow(host, { blocks: [code('noop')] })
    const handle = await host.start({ blocks: [trigger(child)] })
    await until(() => begun(host.events).length === 1)
    await handle.cancel()
    passed.open()
    expect(await settle(handle.result(), host.clock)).toMatchObject({ status: 'canceled' })
    expect(await childrenOf(host)).toEqual([])
  })
})

describe('a parent that ends', () => {
  const nested = async (host: Host, leaf: Definition['blocks'][number] = code('leaf', 'hangs')) => {
    const last = await workflow(host, { blocks: [leaf] })
    const middle = await workflow(host, { blocks: [trigger(last)] })
    const handle = await host.start({ blocks: [trigger(middle)] })
    await isAt(host, 'wr_3', 'running')
    await until(() => begun(host.events).length === 3)
    return handle
  }

  it('by a cancel takes every run below it along, at any depth', async () => {
    const host = await startEngine(own)
    const handle = await nested(host)
    await handle.cancel({ by: 'Ada' })
    expect(await settle(handle.result(), host.clock)).toMatchObject({ status: 'canceled', failureReason: 'canceled by Ada' })
    for (const id of ['wr_2', 'wr_3']) {
      expect(await settle(host.engine.waitForRun({ workflowRunId: id }), host.clock)).toMatchObject({ status: 'canceled' })
    }
    expect((await host.memory.find({ table: 'run_blocks' })).map(({ status }) => status)).toEqual(['canceled', 'canceled', 'canceled'])
  })

  it('by a cancel from another process does so too', async () => {
    const world = createWorld()
    const host = await startEngine(own, world)
    const elsewhere = await startEngine(own, world)
    const handle = await nested(host)
    await elsewhere.engine.cancel({ workflowRunId: handle.workflowRunId, by: 'Ada' })
    for (const id of ['wr_1', 'wr_2', 'wr_3']) {
      expect(await settle(elsewhere.engine.waitForRun({ workflowRunId: id }), world.clock)).toMatchObject({ status: 'canceled' })
    }
  })

  it('by a cancel reaches what an ended run below it has started', async () => {
    const host = await startEngine(own)
    const last = await workflow(host, { blocks: [code('leaf', 'hangs')] })
    const middle = await workflow(host, { blocks: [trigger(last, { waitForCompletion: false })] })
    const handle = await host.start({ blocks: [trigger(middle), code('go_on', 'hangs')] })
    await isAt(host, 'wr_2', 'completed')
    await isAt(host, 'wr_3', 'running')
    await until(() => begun(host.events).length === 4)
    await handle.cancel()
    expect(await settle(host.engine.waitForRun({ workflowRunId: 'wr_3' }), host.clock)).toMatchObject({ status: 'canceled' })
  })

  it('by the deadline of its block cancels the run that it waits for', async () => {
    const host = await startEngine(own)
    const child = await workflow(host, { blocks: [code('leaf', 'hangs')] })
    const handle = await host.start({ blocks: [trigger(child, { timeoutSeconds: 30 })] })
    expect(await settle(handle.result(), host.clock)).toMatchObject({ status: 'failed', errorCode: 'BLOCK_TIMED_OUT' })
    expect(await settle(host.engine.waitForRun({ workflowRunId: 'wr_2' }), host.clock)).toMatchObject({
      status: 'canceled',
      failureReason: 'canceled by run wr_1',
    })
  })

  it('without its own doing is followed by the sweep: what it waited for ends, what it did not goes on', async () => {
    const host = await startEngine(own, sharedWorld())
    const last = await workflow(host, { blocks: [code('leaf', 'hangs')] })
    await host.start({ blocks: [trigger(last, { waitForCompletion: false }), { ...trigger(last), label: 'second' }] })
    await isAt(host, 'wr_3', 'running')
    // as a crash leaves it between the parent's end and those of its children
    await host.memory.commit([{ op: 'update', table: 'runs', id: 'wr_1', set: { status: 'failed' } }])
    await host.clock.advance(3_000)
    expect(await settle(host.engine.waitForRun({ workflowRunId: 'wr_3' }), host.clock)).toMatchObject({ status: 'canceled' })
    expect(await runRow(host.memory, 'wr_2')).toMatchObject({ status: 'running', cancelRequestedAt: null })
  })
})

describe('a parent whose host is gone', () => {
  it('is gone on with by another, which finds the run that was started', async () => {
    const world = sharedWorld()
    const resume = { onHostLost: 'resume' as const }
    const first = await startEngine({ ...own, hostId: 'first' }, world)
    const answer = gate<null>()
    const child = await workflow(first, { blocks: [code('leaf', 'wait')] }, resume)
    const handle = await first.start({ blocks: [code('before'), trigger(child, { maxRetries: 1 })] }, { workflow: resume })
    await isAt(first, 'wr_2', 'running')
    const second = await startEngine({ handlers: { ...handlers, wait: () => answer.passed }, hostId: 'second' }, world)
    await settle(first.engine.destroy(), world.clock)
    answer.open(null)
    expect(await settle(second.engine.waitForRun(handle), world.clock)).toMatchObject({
      status: 'completed',
      outputs: { call_output: { workflowRunId: 'wr_2', status: 'completed' } },
    })
    expect(await childrenOf(second)).toMatchObject([{ workflowRunId: 'wr_2', cancelRequestedAt: null }])
    expect((await blockRows(world.memory)).map(({ label, attempt, status }) => `${label}#${attempt} ${status}`)).toEqual([
      ...['before#1 completed', 'call#1 failed', 'call#2 completed'],
    ])
  })
})

describe('a run in the browser of its parent', () => {
  const site = { 'https://a.test/': { title: 'A' }, 'https://b.test/': { title: 'B' } }
  const go = (label: string, url: string) => ({ type: 'goto_url' as const, label, url })

  it('is lent it, and gives it back as it left it', async () => {
    const host = await startHost({ driver: { site } })
    const child = await workflow(host, { blocks: [go('there', 'https://b.test/')] })
    const result = await host.run({
      blocks: [go('one', 'https://a.test/'), trigger(child, { useParentBrowserSession: true }), go('two', 'https://a.test/')],
    })
    expect(result).toMatchObject({ status: 'completed' })
    expect(host.driver.handles).toHaveLength(1)
    const [run] = await childrenOf(host)
    expect(run).toMatchObject({ status: 'completed', ownsSession: false, browserSessionId: result.browserSessionId })
    const occupied = (await host.memory.readEvents({ stream: `session:${result.browserSessionId}` })).filter(
      ({ type }) => type === 'session.occupied',
    )
    expect(occupied).toHaveLength(1)
    expect(host.driver.liveHandles).toBe(0)
  })

  it('is stopped when the parent ends, and leaves a named session to be released once', async () => {
    const host = await startHost({ driver: { site: {} }, engine: own })
    const { browserSessionId } = await host.pool.create({})
    const child = await workflow(host, { blocks: [code('leaf', 'hangs')] })
    const handle = await host.start({ blocks: [trigger(child, { useParentBrowserSession: true })] }, { browserSessionId })
    await settle(isAt(host, 'wr_2', 'running'), host.clock)
    await handle.cancel()
    expect(await settle(handle.result(), host.clock)).toMatchObject({ status: 'canceled' })
    expect(await settle(host.engine.waitForRun({ workflowRunId: 'wr_2' }), host.clock)).toMatchObject({ status: 'canceled' })
    const session = types(await host.memory.readEvents({ stream: `session:${browserSessionId}` }))
    expect(session.filter((type) => type === 'session.released')).toHaveLength(1)
    expect(await host.pool.get({ browserSessionId })).toMatchObject({ status: 'running' })
  })

  it('is refused it where its own policy asks for more than holds the browser', async () => {
    const host = await startHost({ driver: { site } })
    const scopePolicy = { allowedDomains: ['b.test'] }
    const child = await workflow(host, { blocks: [go('there', 'https://b.test/')] }, { scopePolicy })
    const result = await host.run({ blocks: [trigger(child, { useParentBrowserSession: true })] })
    expect(result).toMatchObject({ status: 'failed', errorCode: 'CHILD_RUN_FAILED' })
    expect(await childrenOf(host)).toMatchObject([{ status: 'failed', errorCode: 'SESSION_POLICY_DIFFERS' }])
  })
})
