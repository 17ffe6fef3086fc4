import { describe, expect, it } from 'vitest'
import {
  type ActionContext,
  type ActionPlace,
  type ActionResult,
  type AgentJournal,
  AgentRunner,
  type AgentTask,
  type BrowserAgent,
  StuckDetector,
} from '../../../src/actions/index.js'
import { RunCanceledError } from '../../../src/errors/index.js'
import { type FakeSite, scriptedAgent } from '../../../src/testing/index.js'
import { openBrowser } from './kit.js'

const site: FakeSite = {
  'https://a.test/': {
    title: 'A',
    elements: [
      { css: '#go', role: 'button', name: 'Go', onClick: 'https://a.test/next' },
      { css: '#name', label: 'Name' },
      { css: '#leak', text: 'the word is hunter2' },
    ],
  },
  'https://a.test/next': { title: 'Next', elements: [{ css: '#same', role: 'button', name: 'Same' }] },
}
const open = { type: 'goto_url' as const, url: 'https://a.test/' }
const click = (css: string) => ({ type: 'click' as const, target: { css } })

const task = (more: Partial<AgentTask> = {}): AgentTask => ({
  goal: 'get on',
  payload: null,
  url: null,
  completeCriterion: null,
  terminateCriterion: null,
  schema: null,
  errorCodeMapping: {},
  budget: { maxSteps: 10 },
  ...more,
})

type Ended = { readonly place: ActionPlace; readonly result: ActionResult; readonly tokens: number | null }

async function work(
  agent: BrowserAgent,
  params: { task?: AgentTask; overrides?: Partial<ActionContext>; maxObservationChars?: number } = {},
) {
  const host = await openBrowser(site, { stuck: new StuckDetector(() => true), ...params.overrides })
  const ended: Ended[] = []
  const journal: AgentJournal = {
    begin: () => ({ stepIndex: ended.length, stepId: `stp_${ended.length}` }),
    end: (place, result, tokens) => void ended.push({ place, result, tokens }),
  }
  const { clock, router, context } = host
  const runner = new AgentRunner({ agent, router, clock, maxObservationChars: params.maxObservationChars ?? 40_000 })
  return { ...host, ended, outcome: runner.run(params.task ?? task(), context, journal) }
}

describe('the agent', () => {
  it('acts through the router, and its steps are written down', async () => {
    const agent = scriptedAgent([open, click('#go')])
    const { outcome, records, ended } = await work(agent)
    expect(await outcome).toEqual({
      status: 'completed',
      reason: null,
      errorCode: null,
      output: null,
      usage: { tokens: 0, calls: 0 },
      stepCount: 2,
      error: null,
    })
    expect(records.map(({ type, stepId }) => [type, stepId])).toEqual([
      ['goto_url', 'stp_0'],
      ['click', 'stp_1'],
    ])
    expect(ended.map(({ result, tokens }) => [result.status, tokens])).toEqual([
      ['completed', null],
      ['completed', null],
    ])
  })

  it('is told what it is asked, and what is left of its budget', async () => {
    const seen: unknown[] = []
    const agent: BrowserAgent = {
      async run(asked, tools) {
        seen.push(asked, tools.stepsLeft)
        await tools.perform(open)
        seen.push(tools.stepsLeft, await tools.url(), await tools.tabs())
        return { status: 'completed' }
      },
    }
    const asked = task({ goal: 'buy', payload: { what: 'milk' }, budget: { maxSteps: 3 } })
    const { outcome } = await work(agent, { task: asked })
    expect((await outcome).status).toBe('completed')
    expect(seen).toEqual([asked, 3, 2, 'https://a.test/', [{ index: 0, url: 'https://a.test/', title: 'A', isActive: true }]])
  })

  it('that wants more steps than it has fails with MAX_STEPS, and acts no more', async () => {
    const late: unknown[] = []
    const agent: BrowserAgent = {
      async run(_task, tools) {
        await tools.perform(open)
        await tools.perform(click('#name'))
        await tools.perform(click('#go')).catch(async (error) => {
          late.push(error.code, await tools.perform(click('#go')).catch((again) => again.code), await tools.observe().catch((e) => e.code))
        })
        return { status: 'completed' }
      },
    }
    const { outcome, records, page } = await work(agent, { task: task({ budget: { maxSteps: 2 } }) })
    expect(await outcome).toMatchObject({ status: 'failed', errorCode: 'MAX_STEPS', stepCount: 2 })
    await new Promise(setImmediate)
    expect(late).toEqual(['MAX_STEPS', 'ACTION_BLOCKED', 'ACTION_BLOCKED'])
    expect(records).toHaveLength(2)
    expect(page().url()).toBe('https://a.test/')
  })

  it('that uses exactly its steps completes', async () => {
    const { outcome } = await work(scriptedAgent([open, click('#go')]), { task: task({ budget: { maxSteps: 2 } }) })
    expect(await outcome).toMatchObject({ status: 'completed', stepCount: 2 })
  })

  it('that takes too long, or too many tokens, fails with MAX_STEPS', async () => {
    const deaf: BrowserAgent = { run: () => new Promise(() => {}) }
    const slow = await work(deaf, { task: task({ budget: { maxSteps: 5, timeoutMs: 3_000 } }) })
    await slow.clock.advance(2_999)
    await slow.clock.advance(1)
    expect(await slow.outcome).toMatchObject({ status: 'failed', errorCode: 'MAX_STEPS', reason: 'The agent took longer than 3000 ms' })
    expect(slow.clock.pendingTimers).toBe(0)
    const greedy: BrowserAgent = {
      async run(_task, tools) {
        tools.reportUsage({ tokens: 60, calls: 1 })
        await tools.perform(open)
        tools.reportUsage({ tokens: 50, calls: 1 })
        return { status: 'completed' }
      },
    }
    const spent = await work(greedy, { task: task({ budget: { maxSteps: 5, maxTokens: 100 } }) })
    expect(await spent.outcome).toMatchObject({ status: 'failed', errorCode: 'MAX_STEPS', usage: { tokens: 110, calls: 2 } })
    expect(spent.ended.map(({ tokens }) => tokens)).toEqual([60])
  })

  it('sums up what it used, in whichever way it says so', async () => {
    const agent: BrowserAgent = {
      async run(_task, tools) {
        tools.reportUsage({ tokens: 5, calls: 1 })
        tools.reportUsage({ tokens: 7, calls: 1 })
        await tools.perform(open)
        await tools.perform(click('#name'))
        return { status: 'completed', usage: { tokens: 20, calls: 3 } }
      },
    }
    const { outcome, ended } = await work(agent)
    expect((await outcome).usage).toEqual({ tokens: 20, calls: 3 })
    expect(ended.map(({ tokens }) => tokens)).toEqual([12, null])
  })

  it('that throws, at once or later, fails with AGENT_FAILED, secrets taken out', async () => {
    const later: BrowserAgent = {
      run: async () => {
        throw new Error('cannot type hunter2')
      },
    }
    expect(await (await work(later)).outcome).toMatchObject({
      status: 'failed',
      errorCode: 'AGENT_FAILED',
      reason: 'The agent failed: cannot type {{ KEY }}',
    })
    const atOnce: BrowserAgent = {
      run: () => {
        throw new Error('no')
      },
    }
    expect(await (await work(atOnce)).outcome).toMatchObject({ errorCode: 'AGENT_FAILED', reason: 'The agent failed: no' })
  })

  it('that gives no result, or asks for what is no action, fails with AGENT_FAILED', async () => {
    expect(await (await work({ run: async () => 'done' as never })).outcome).toMatchObject({ status: 'failed', errorCode: 'AGENT_FAILED' })
    const { outcome } = await work(scriptedAgent([{ type: 'clack' } as never]))
    expect(await outcome).toMatchObject({ errorCode: 'AGENT_FAILED', reason: expect.stringContaining('perform'), stepCount: 1 })
  })

  it('ends with its run, within its own tick, and acts no more', async () => {
    const passed: string[] = []
    const agent: BrowserAgent = {
      async run(_task, tools, signal) {
        await tools.perform(open)
        signal.addEventListener('abort', () => passed.push('told'))
        await tools.perform({ type: 'click', target: { css: '#never' } }).then((result) => passed.push(result.status))
        await tools.perform(click('#go')).catch((error) => passed.push(error.code))
        return { status: 'completed' }
      },
    }
    const { outcome, control, clock, page } = await work(agent)
    await clock.advance(10)
    const canceled = new RunCanceledError('wr_1', 'Ada')
    control.abort(canceled)
    await expect(outcome).rejects.toBe(canceled)
    await clock.advance(0)
    expect(passed).toEqual(['told', 'canceled', 'ACTION_BLOCKED'])
    expect(page().url()).toBe('https://a.test/')
    expect(clock.pendingTimers).toBe(0)
  })

  it('that gets nowhere is warned, then stopped', async () => {
    const verdicts: string[] = []
    const agent: BrowserAgent = {
      async run(_task, tools) {
        await tools.perform(open)
        for (;;) verdicts.push((await tools.perform(click('#name'))).verdict)
      },
    }
    const { outcome } = await work(agent, { task: task({ budget: { maxSteps: 100 } }) })
    expect(await outcome).toMatchObject({ status: 'failed', errorCode: 'STUCK', stepCount: 7 })
    expect(verdicts).toEqual(['ok', 'ok', 'warn', 'ok', 'ok', 'stop'])
  })

  it('sees pages without secrets, cut at the limit, and none outside the scope', async () => {
    const agent = scriptedAgent((page, { results }) => {
      if (results.length === 0) return open
      return { status: 'completed', output: page.snapshot, reason: 'hunter2' }
    })
    const { outcome } = await work(agent)
    expect((await outcome).output).toContain('the word is {{ KEY }}')
    const cut = scriptedAgent((_page, { results }) => (results.length === 0 ? open : 'done'))
    await (await work(cut, { maxObservationChars: 20 })).outcome
    expect(cut.observations.at(-1)).toMatchObject({ truncated: true, title: 'A' })
    expect(cut.observations.at(-1)?.snapshot).toHaveLength(20)
  })

  it('may not look at a page outside the scope', async () => {
    const refusal = { rule: 'allowedDomains', reason: 'b.test is not allowed' }
    const scope = {
      blinders: ['#leak'],
      allowsFiles: false,
      network: { check: () => null, onBlocked: () => {} },
      checkAction: () => null,
      checkUrl: (url: string) => (url.includes('/next') ? refusal : null),
      review: async () => null,
      blockedCount: 0,
      blockedSince: () => [],
    }
    const agent: BrowserAgent = {
      async run(_task, tools) {
        await tools.perform(open)
        const { snapshot } = await tools.observe()
        return { status: 'completed', output: snapshot }
      },
    }
    const host = await work(agent, { overrides: { scope } })
    expect(String((await host.outcome).output)).not.toContain('the word is')
    let go = () => {}
    const moved = new Promise<void>((resolve) => {
      go = resolve
    })
    const looker = await work(
      {
        async run(_task, tools) {
          await moved
          return { status: 'completed', output: await tools.observe().catch((error) => error.code) }
        },
      },
      { overrides: { scope } },
    )
    looker.page().goTo('https://a.test/next')
    go()
    expect((await looker.outcome).output).toBe('ACTION_BLOCKED')
  })

  it('whose output does not fit its schema fails with SCHEMA_MISMATCH; a fitting one is given back', async () => {
    const schema = { type: 'object', required: ['total'], properties: { total: { type: 'number' } } }
    const wrong = await work(scriptedAgent([{ status: 'completed', output: { total: 'many' } }]), { task: task({ schema }) })
    expect(await wrong.outcome).toMatchObject({ status: 'failed', errorCode: 'SCHEMA_MISMATCH', output: { total: 'many' } })
    const right = await work(scriptedAgent([{ status: 'completed', output: { total: 3, note: 'hunter2' } }]), { task: task({ schema }) })
    expect(await right.outcome).toMatchObject({ status: 'completed', output: { total: 3, note: '{{ KEY }}' } })
  })

  it('gives a code, and the code its meaning where it says nothing more', async () => {
    const asked = { task: task({ errorCodeMapping: { SOLD_OUT: 'it is sold out' } }) }
    const outcome = await (await work(scriptedAgent([{ status: 'terminated', errorCode: 'SOLD_OUT' }]), asked)).outcome
    expect(outcome).toMatchObject({ status: 'terminated', errorCode: 'SOLD_OUT', reason: 'it is sold out' })
  })

  it('may forget to await a call: nothing is left unhandled', async () => {
    const agent: BrowserAgent = {
      async run(_task, tools) {
        void tools.perform({ type: 'nonsense' } as never)
        void tools.perform(click('#never'))
        return { status: 'completed' }
      },
    }
    const { outcome, clock } = await work(agent)
    expect((await outcome).status).toBe('completed')
    await clock.advance(20_000) // an unhandled rejection would fail this test
    expect(clock.pendingTimers).toBe(0)
  })
})
