import { describe, expect, it } from 'vitest'
import { blockRows, code, type Definition, gate, handlers, runRow, settle, streamOf, types, until } from './kit.js'
import { expectSound, twoHosts } from './takeover-kit.js'

type Hosts = Awaited<ReturnType<typeof twoHosts>>
const resume = { workflow: { onHostLost: 'resume' as const } }

/** A handler that never ends the first time. */
function hangsOnce(then: () => unknown = () => 'done') {
  let calls = 0
  const handler = () => (++calls === 1 ? new Promise<never>(() => {}) : then()) as never
  return { handler, calls: () => calls }
}

const pass = (hosts: Pick<Hosts, 'clock'>, ms: number) =>
  settle(new Promise<void>((resolve) => hosts.clock.setTimer(resolve, ms)), hosts.clock)

/** Lets time pass until something is true: browsers make real folders, which takes real time. */
async function passUntil(hosts: Pick<Hosts, 'clock'>, isTrue: () => Promise<boolean>): Promise<void> {
  for (let passedMs = 0; !(await isTrue()); passedMs += 100) {
    if (passedMs > 25_000) throw new Error('it did not come true')
    await pass(hosts, 100)
  }
}

const isRecorded = async ({ memory }: Hosts, type: string) => (await memory.count('actions', { type })) > 0

const isUnderWay = async ({ memory }: Hosts, label: string) =>
  (await blockRows(memory)).some((row) => row.label === label && row.status === 'running')

/** Lets the first host come to a block, and die there; the other ends the run. */
async function loseHost(hosts: Hosts, definition: Definition, label: string, isThere: () => boolean = () => true) {
  await hosts.one.start(definition, resume)
  await until(async () => isThere() && (await isUnderWay(hosts, label)), `${label} under way`)
  hosts.die()
  const other = await hosts.startOther()
  const result = await settle(other.engine.waitForRun({ workflowRunId: 'wr_1', timeoutMs: 600_000 }), hosts.clock)
  return { other, result, ...(await expectSound(hosts.memory, label)) }
}

const attempts = (rows: Awaited<ReturnType<typeof blockRows>>) =>
  rows.map(({ label, attempt, status, errorCode }) => `${label}#${attempt} ${status}${errorCode === null ? '' : ` ${errorCode}`}`)

describe('a run that is resumed', () => {
  it('runs the interrupted block again, as one more attempt, and what has ended not', async () => {
    const { handler } = hangsOnce()
    let firsts = 0
    const hosts = await twoHosts({ engine: { handlers: { ...handlers, hangs: handler, first: () => ++firsts } } })
    const { result, rows, events } = await loseHost(hosts, { blocks: [code('a', 'first'), code('b', 'hangs'), code('c')] }, 'b')
    expect(result).toMatchObject({ status: 'completed', attempt: 2, errors: [], outputs: { a_output: 1, b_output: 'done' } })
    expect(firsts).toBe(1)
    expect(attempts(rows)).toEqual(['a#1 completed', 'b#1 failed HOST_LOST', 'b#2 completed', 'c#1 completed'])
    expect(events.filter(({ type }) => type === 'run.recovered').map(({ payload }) => payload)).toMatchObject([
      { attempt: 2, formerHolder: 'one', leaseHolder: 'two', continues: true },
    ])
    expect((await runRow(hosts.memory)).takeovers).toBe(1)
  })

  it('does not count the interrupted attempt against the retries, but the others', async () => {
    let calls = 0
    const flaky = () => {
      if (++calls === 2) return new Promise<never>(() => {})
      throw new Error(`call ${calls}`)
    }
    const hosts = await twoHosts({ engine: { handlers: { flaky } } })
    await hosts.one.start({ blocks: [code('a', 'flaky', { maxRetries: 1 })] }, resume)
    await passUntil(hosts, async () => (await blockRows(hosts.memory)).length === 2)
    hosts.die()
    const other = await hosts.startOther()
    const result = await settle(other.engine.waitForRun({ workflowRunId: 'wr_1' }), hosts.clock)
    const { rows } = await expectSound(hosts.memory, 'retries')
    expect(attempts(rows)).toEqual(['a#1 failed BLOCK_ERROR', 'a#2 failed HOST_LOST', 'a#3 failed BLOCK_ERROR'])
    expect(result.errors).toMatchObject([{ blockLabel: 'a', reason: '"a": call 3' }])
  })

  it('goes on in the iteration where it was, and tells nothing twice', async () => {
    const { handler } = hangsOnce()
    let calls = 0
    const at = ({ outputs }: { outputs: Record<string, unknown> }) => [++calls, outputs.x ?? null] as never
    const hang = () => (calls === 25 ? handler() : null)
    const hosts = await twoHosts({ engine: { handlers: { at, hang } } })
    const list = Array.from({ length: 30 }, (_, index) => index)
    const { result, events, rows } = await loseHost(
      hosts,
      {
        parameters: [{ kind: 'workflow', key: 'list', type: 'json', default: list }],
        blocks: [{ type: 'for_loop', label: 'loop', loopOverParameterKey: 'list', loopBlocks: [code('x', 'at'), code('y', 'hang')] }],
      },
      'y',
      () => calls === 25,
    )
    expect(result.status).toBe('completed')
    expect(calls).toBe(30)
    expect(rows.filter(({ label }) => label === 'x')).toHaveLength(30)
    const done = events.flatMap(({ type, payload }) => (type === 'block.progressed' ? [(payload as { done: number }).done] : []))
    expect(done).toEqual([1, 10, 20, 30])
    expect(rows.filter(({ label }) => label === 'loop')).toHaveLength(1)
  })

  it('counts its elapsed time over both hosts', async () => {
    const hosts = await twoHosts()
    const wait = { type: 'wait' as const, label: 'pause', waitSec: 50 }
    await hosts.one.start(
      { blocks: [wait, code('last')], finallyBlockLabel: 'last' },
      {
        workflow: { onHostLost: 'resume', maxElapsedTimeMinutes: 1 },
      },
    )
    await pass(hosts, 40_000)
    hosts.die()
    const other = await hosts.startOther()
    const result = await settle(other.engine.waitForRun({ workflowRunId: 'wr_1' }), hosts.clock)
    expect(result).toMatchObject({ status: 'timed_out', errorCode: 'RUN_TIMED_OUT', outputs: { last_output: null } })
    expect(result.durationSeconds).toBeGreaterThanOrEqual(60)
    expect(result.durationSeconds).toBeLessThan(70)
    await expectSound(hosts.memory, 'elapsed')
  })

  it('is taken for what its hosts die of after the third takeover', async () => {
    const { handler } = hangsOnce()
    const hosts = await twoHosts({ engine: { handlers: { ...handlers, hangs: handler } } })
    await hosts.one.start({ blocks: [code('a', 'hangs'), code('last')], finallyBlockLabel: 'last' }, resume)
    await until(() => isUnderWay(hosts, 'a'))
    await hosts.memory.commit([{ op: 'update', table: 'runs', id: 'wr_1', set: { takeovers: 3 } }])
    hosts.die()
    const other = await hosts.startOther()
    const result = await settle(other.engine.waitForRun({ workflowRunId: 'wr_1' }), hosts.clock)
    expect(result).toMatchObject({ status: 'failed', errorCode: 'CRASH_LOOP' })
    const { rows } = await expectSound(hosts.memory, 'crash loop')
    expect(attempts(rows)).toEqual(['a#1 failed CRASH_LOOP'])
  })

  it('fails when the session that it had named went with its host, and makes a new private one', async () => {
    for (const isNamed of [true, false]) {
      const { handler } = hangsOnce()
      const hosts = await twoHosts({ pool: 'own', engine: { handlers: { ...handlers, hangs: handler } } })
      const pool = (hosts.one as unknown as { pool: { create(): Promise<{ browserSessionId: string }> } }).pool
      const session = isNamed ? await pool.create() : undefined
      const page = { type: 'goto_url' as const, url: 'https://a.test/' }
      const blocks = [{ ...page, label: 'open' }, code('a', 'hangs'), { ...page, label: 'again' }]
      await hosts.one.start({ blocks }, { ...resume, ...(session === undefined ? {} : { browserSessionId: session.browserSessionId }) })
      await until(() => isUnderWay(hosts, 'a'))
      hosts.die()
      const other = await hosts.startOther()
      const result = await settle(other.engine.waitForRun({ workflowRunId: 'wr_1', timeoutMs: 600_000 }), hosts.clock)
      await pass(hosts, 20_000)
      expect(result).toMatchObject(isNamed ? { status: 'failed', errorCode: 'SESSION_LOST' } : { status: 'completed', errorCode: null })
      await expectSound(hosts.memory, `session ${isNamed}`)
    }
  })
})

describe('a block that is not to be done twice', () => {
  it('fails the run when it was interrupted after it had begun acting, and says what was in flight', async () => {
    const { handler, calls } = hangsOnce()
    const hosts = await twoHosts({ engine: { handlers: { ...handlers, pay: handler } } })
    const blocks = [code('a'), code('pay', 'pay', { idempotent: false, maxRetries: 3, continueOnFailure: true }), code('last')]
    const { result, rows } = await loseHost(hosts, { blocks, finallyBlockLabel: 'last' }, 'pay')
    expect(result).toMatchObject({ status: 'failed', errorCode: 'OUTCOME_UNKNOWN' })
    expect(result.failureReason).toMatch(/"pay".*code "pay"/)
    expect(calls()).toBe(1)
    expect(attempts(rows)).toEqual(['a#1 completed', 'pay#1 failed OUTCOME_UNKNOWN', 'last#1 completed'])
  })

  it('names the action on the page; one that only read is run again', async () => {
    for (const acts of [true, false]) {
      const hosts = await twoHosts({ pool: 'own' })
      const target = { css: '#go' }
      const block = {
        type: 'action' as const,
        label: 'go',
        idempotent: false,
        steps: [
          acts ? { type: 'click' as const, target } : { type: 'locate_element' as const, target },
          { type: 'wait' as const, waitSec: 30 },
        ],
      }
      await hosts.one.start({ blocks: [{ type: 'goto_url', label: 'open', url: 'https://a.test/' }, block] }, resume)
      await passUntil(hosts, () => isRecorded(hosts, acts ? 'click' : 'locate_element'))
      expect((await blockRows(hosts.memory)).map(({ intent }) => intent?.type ?? null)).toEqual([null, acts ? 'click' : null])
      hosts.die()
      const other = await hosts.startOther()
      const result = await settle(other.engine.waitForRun({ workflowRunId: 'wr_1', timeoutMs: 600_000 }), hosts.clock)
      if (acts) expect(result.failureReason).toMatch(/"go".*click.*#go/)
      // the new browser shows an empty page: what is looked for is not on it
      expect(result.errorCode === 'OUTCOME_UNKNOWN').toBe(acts)
      expect((await blockRows(hosts.memory)).filter(({ label }) => label === 'go')).toHaveLength(acts ? 1 : 2)
    }
  })

  it('knows of single steps, too', async () => {
    const hosts = await twoHosts({ pool: 'own' })
    const click = { type: 'click' as const, target: { css: '#go' } }
    const steps = [
      { action: click, idempotent: false },
      { type: 'wait' as const, waitSec: 30 },
    ]
    await hosts.one.start({ blocks: [{ type: 'action', label: 'go', url: 'https://a.test/', steps }] }, resume)
    await passUntil(hosts, () => isRecorded(hosts, 'click'))
    hosts.die()
    const other = await hosts.startOther()
    const result = await settle(other.engine.waitForRun({ workflowRunId: 'wr_1', timeoutMs: 600_000 }), hosts.clock)
    expect(result.errorCode).toBe('OUTCOME_UNKNOWN')
  })

  it('is not run again as the finally block either, and what was decided stands', async () => {
    const { handler, calls } = hangsOnce()
    const hosts = await twoHosts({ engine: { handlers: { ...handlers, mail: handler } } })
    const blocks = [code('a', 'fail'), code('mail', 'mail', { idempotent: false })]
    const { result, rows } = await loseHost(hosts, { blocks, finallyBlockLabel: 'mail' }, 'mail')
    expect(result).toMatchObject({ status: 'failed', errorCode: 'BLOCK_ERROR' })
    expect(calls()).toBe(1)
    expect(attempts(rows)).toEqual(['a#1 failed BLOCK_ERROR', 'mail#1 failed OUTCOME_UNKNOWN'])
  })
})

describe('a host that stops', () => {
  it('hands over what may go on elsewhere, and another goes on at once', async () => {
    const { handler } = hangsOnce()
    let firsts = 0
    const hosts = await twoHosts({ engine: { handlers: { ...handlers, hangs: handler, first: () => ++firsts } } })
    const { one, memory, clock } = hosts
    await one.start(
      { blocks: [code('a', 'first'), code('b', 'hangs'), code('c')] },
      { workflow: { onHostLost: 'resume', runSequentially: true } },
    )
    await until(() => isUnderWay(hosts, 'b'))
    await settle(one.engine.destroy(), clock)
    expect(await runRow(memory)).toMatchObject({ status: 'running', leaseHolder: null, leaseExpiresAt: null })
    const before = clock.monotonicMs()
    const other = await hosts.startOther()
    const result = await settle(other.engine.waitForRun({ workflowRunId: 'wr_1' }), clock)
    expect(clock.monotonicMs() - before).toBeLessThan(1_000)
    expect(result).toMatchObject({ status: 'completed', attempt: 2, outputs: { a_output: 1, b_output: 'done' } })
    expect(firsts).toBe(1)
    const { rows, events, run } = await expectSound(memory, 'hand-over')
    expect(run.takeovers).toBe(0)
    expect(attempts(rows)).toEqual(['a#1 completed', 'b#1 failed HOST_LOST', 'b#2 completed', 'c#1 completed'])
    expect(events.find(({ type }) => type === 'run.recovered')?.payload).toMatchObject({ formerHolder: null, continues: true })
  })

  it('keeps what had ended and was not written yet', async () => {
    const entered = gate()
    const passed = gate()
    const hosts = await twoHosts({
      engine: {
        handlers: {
          ...handlers,
          slow: async () => {
            entered.open()
            await passed.passed
            return 'slow'
          },
        },
      },
    })
    await hosts.one.start({ blocks: [code('a', 'slow'), code('b')] }, resume)
    await entered.passed
    const stopped = hosts.one.engine.destroy()
    passed.open()
    await settle(stopped, hosts.clock)
    const other = await hosts.startOther()
    expect(await settle(other.engine.waitForRun({ workflowRunId: 'wr_1' }), hosts.clock)).toMatchObject({ status: 'completed' })
    const stream = await streamOf(hosts.memory)
    expect(types(stream).filter((type) => type === 'run.completed')).toHaveLength(1)
    await expectSound(hosts.memory, 'stop')
  })

  it('ends what may not, as lost with it: the status is true at once', async () => {
    const { handler } = hangsOnce()
    const hosts = await twoHosts({ engine: { handlers: { hangs: handler } } })
    await hosts.one.start({ blocks: [code('a', 'hangs')] }, { workflow: { runSequentially: true } })
    await until(() => isUnderWay(hosts, 'a'))
    await settle(hosts.one.engine.destroy(), hosts.clock)
    const { run } = await expectSound(hosts.memory, 'stop')
    expect(run).toMatchObject({ status: 'failed', errorCode: 'HOST_LOST', failureReason: 'the host that executed the run was stopped' })
  })
})
