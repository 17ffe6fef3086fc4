import { describe, expect, it } from 'vitest'
import type { ScopePolicyInput } from '../../../src/definition/index.js'
import { MemoryCredentialProvider, WorkflowEngine, type WorkflowEngineOptions } from '../../../src/engine/index.js'
import type { GuardedNetwork, NetworkGuard, NetworkPolicy } from '../../../src/sessions/index.js'
import { MemoryStorage } from '../../../src/storage/index.js'
import { type Definition, startHost } from './kit.js'

/** A guard of air: tests play the network. */
function fakeGuard() {
  const policies: (NetworkPolicy | null)[] = []
  const guard: NetworkGuard = {
    open: async () =>
      ({
        port: 4_000,
        launchArgs: [],
        admit: () => {},
        apply: (policy) => void policies.push(policy),
        close: async () => {},
      }) satisfies GuardedNetwork,
  }
  return { guard, policies }
}

const site = {
  'https://example.com/': { title: 'Home', elements: [{ css: '#go', onClick: 'https://evil.test/' }] },
  'https://evil.test/': { title: 'Evil' },
}
const SCOPE: ScopePolicyInput = { allowedDomains: ['example.com'] }
const goto = (url: string, label = 'open') => ({ type: 'goto_url' as const, label, url })
const blocks = (...list: Definition['blocks']): Definition => ({ blocks: list })

async function startScoped(engine: Partial<WorkflowEngineOptions> = {}) {
  const { guard, policies } = fakeGuard()
  const host = await startHost({ engine, pool: { networkGuard: guard }, driver: { site } })
  const of = (type: string) => host.events.filter((event) => event.type === type)
  return { ...host, policies, of }
}

describe('the policy of a run', () => {
  it.each<[string, Partial<WorkflowEngineOptions>, Parameters<Awaited<ReturnType<typeof startScoped>>['run']>[1]]>([
    ['the engine', { scopePolicy: SCOPE }, {}],
    ['the organisation', { scopePolicy: (organizationId) => (organizationId === 'acme' ? SCOPE : null) }, {}],
    ['the workflow', {}, { workflow: { scopePolicy: SCOPE } }],
    ['the run', {}, { scopePolicy: SCOPE }],
  ])('may come from %s', async (_whose, options, params) => {
    const { run, of, policies, memory } = await startScoped(options)
    const result = await run(blocks(goto('https://evil.test/')), params)
    expect(result).toMatchObject({ status: 'failed', errorCode: 'ACTION_BLOCKED' })
    expect(of('action.blocked')).toHaveLength(1)
    expect(of('action.blocked')[0]?.payload).toMatchObject({
      error: { code: 'ACTION_BLOCKED', message: expect.stringContaining('evil.test is not among the allowed domains (example.com)') },
    })
    expect(policies).toHaveLength(1) // the browser was under it from the start
    const [session] = await memory.find({ table: 'browser_sessions' })
    expect(session).toMatchObject({ private: true, guarded: true, scopeProxyPort: 4_000 })
    expect((await run(blocks(goto('https://example.com/')), params)).status).toBe('completed')
  })

  it('without any, nothing is guarded', async () => {
    const { run, policies, memory } = await startScoped({ scopePolicy: () => null })
    expect((await run(blocks(goto('https://evil.test/')))).status).toBe('completed')
    expect(policies).toEqual([])
    expect((await memory.find({ table: 'browser_sessions' }))[0]).toMatchObject({ guarded: false })
  })

  it('is one of several, of which each has to admit', async () => {
    const { run } = await startScoped({ scopePolicy: { allowedDomains: ['example.com', 'evil.test'] } })
    const inside = { workflow: { scopePolicy: { allowedDomains: ['example.com'] } } }
    expect((await run(blocks(goto('https://evil.test/')), inside)).errorCode).toBe('ACTION_BLOCKED')
    expect((await run(blocks(goto('https://evil.test/')))).status).toBe('completed')
  })

  it('is kept with the workflow and the run', async () => {
    const { run, memory } = await startScoped()
    await run(blocks(goto('https://example.com/')), { scopePolicy: SCOPE, workflow: { scopePolicy: { blockedDomains: ['ads.com'] } } })
    expect((await memory.find({ table: 'runs' }))[0]?.scopePolicy).toMatchObject({ allowedDomains: ['example.com'], allowFileUrls: false })
    expect((await memory.find({ table: 'workflows' }))[0]?.scopePolicy).toMatchObject({ blockedDomains: ['ads.com'] })
  })

  it('cannot be held on a named session that is not guarded: the run fails', async () => {
    const { run, pool } = await startScoped()
    const { browserSessionId } = await pool.create()
    const result = await run(blocks(goto('https://example.com/')), { browserSessionId, scopePolicy: SCOPE })
    expect(result).toMatchObject({ status: 'failed', errorCode: 'SCOPE_NOT_ENFORCEABLE' })
    const guarded = await pool.create({ guarded: true })
    const params = { browserSessionId: guarded.browserSessionId, scopePolicy: SCOPE }
    expect((await run(blocks(goto('https://example.com/')), params)).status).toBe('completed')
  })
})

describe('guardrails', () => {
  it('are named by policies, or given as functions with the policy of the engine', async () => {
    const asked: string[] = []
    const noClicks = ({ action, organizationId }: { action: { type: string }; organizationId: string }) => {
      asked.push(`${organizationId} ${action.type}`)
      return action.type === 'click' ? { allow: false as const, reason: 'no clicks' } : { allow: true as const }
    }
    const steps = blocks(goto('https://example.com/'), { type: 'action', label: 'act', steps: [{ type: 'click', target: { css: '#go' } }] })
    const named = await startScoped({ guardrails: { noClicks } })
    const result = await named.run(steps, { scopePolicy: { guardrails: ['noClicks'] } })
    expect(result.failureReason).toContain('no clicks')
    expect(asked).toEqual(['acme goto_url', 'acme click'])
    const given = await startScoped({ scopePolicy: { guardrails: [noClicks] } })
    expect((await given.run(steps)).failureReason).toContain('no clicks')
  })
})

describe('policies that cannot be held', () => {
  it('are refused where they are given', async () => {
    const { start, engine, memory } = await startScoped()
    const definition = blocks(goto('https://example.com/'))
    const bad: [ScopePolicyInput, string][] = [
      [{ allowedDomains: ['com'] }, 'public suffix'],
      [{ guardrails: ['nobody'] }, 'nobody'],
      [{ blockedDomains: ['*.ads.com'] }, 'ads.com'],
    ]
    for (const [scopePolicy, words] of bad) {
      const error = { code: 'INVALID_ARGUMENT', message: expect.stringContaining(words) }
      await expect(start(definition, { scopePolicy })).rejects.toMatchObject(error)
      await expect(engine.createWorkflow({ title: 'x', definition, scopePolicy })).rejects.toMatchObject(error)
      expect(() => new WorkflowEngine({ storage: new MemoryStorage(), scopePolicy })).toThrow(words)
    }
    expect(await memory.find({ table: 'runs' })).toEqual([])
  })

  it('fail the run when only its execution finds out', async () => {
    const { run } = await startScoped({ scopePolicy: () => ({ allowedDomains: ['com'] }) })
    expect(await run(blocks(goto('https://example.com/')))).toMatchObject({ status: 'failed', errorCode: 'INVALID_ARGUMENT' })
  })
})

describe('requests that were refused', () => {
  const refusal = { rule: 'host', reason: 'not that one' }

  it('leave one event each, and one more with the count at the end of the attempt', async () => {
    let policy: NetworkPolicy | null = null
    const handlers = {
      take: () => {
        policy = policies[0] ?? null
      },
      ask: async () => {
        for (let time = 0; time < 3; time += 1) policy?.onBlocked({ host: 'ads.test', port: 443, ...refusal })
        policy?.onBlocked({ host: 'once.test', port: 80, url: 'http://once.test/x', ...refusal })
        return null
      },
    }
    const { run, of, policies } = await startScoped({ handlers, scopePolicy: SCOPE })
    const ask = (label: string) => ({ type: 'code' as const, label, handler: 'ask' })
    const opened = { type: 'code' as const, label: 'take', handler: 'take' }
    const result = await run(blocks(goto('https://example.com/'), opened, ask('a'), ask('b')))
    expect(result.status).toBe('completed')
    const seen = of('request.blocked').map(({ payload }) => payload as { host: string; count: number })
    expect(seen.map(({ host, count }) => `${host} ${count}`)).toEqual(['ads.test 1', 'once.test 1', 'ads.test 3', 'once.test 2'])
    expect(seen[1]).toEqual({
      workflowRunId: result.workflowRunId,
      browserSessionId: expect.stringMatching(/^bs_/),
      host: 'once.test',
      port: 80,
      url: 'http://once.test/x',
      count: 1,
      ...refusal,
    })
  })

  it('are told of without the secrets that a page has put into them', async () => {
    const password = 'Tr0ub4Dor%41 3'
    const host = 'tok-5f2a9c.evil.test'
    const credentials = { memory: new MemoryCredentialProvider({ api: 'Tok-5F2a9C', word: password }) }
    const parameters = ['api', 'word'].map((key) => ({ kind: 'secret' as const, key, provider: 'memory', name: key }))
    const url = new URL(`https://${host}/?w=${password}`).href
    const handlers = {
      ask: () => {
        for (let time = 0; time < 2; time += 1)
          policies[0]?.onBlocked({ host, port: 443, rule: 'host', reason: `${host} is not allowed`, url })
        return null
      },
    }
    const { run, of, policies, memory, events } = await startScoped({ handlers, credentials, scopePolicy: SCOPE })
    const result = await run({ parameters, ...blocks(goto('https://example.com/'), { type: 'code', label: 'a', handler: 'ask' }) })
    expect(result.status).toBe('completed')
    const shown = {
      host: '{{ api }}.evil.test',
      reason: '{{ api }}.evil.test is not allowed',
      url: 'https://{{ api }}.evil.test/?w={{ word }}',
    }
    expect(of('request.blocked').map(({ payload }) => payload)).toMatchObject([
      { ...shown, count: 1 },
      { ...shown, count: 2 },
    ])
    expect(JSON.stringify([memory.snapshot(), events])).not.toMatch(/5f2a9c|tr0ub4dor/i)
  })

  it('are at most 100 different ones of a run', async () => {
    let policy: NetworkPolicy | null = null
    const handlers = {
      take: () => {
        policy = policies[0] ?? null
      },
      flood: () => {
        for (let host = 0; host < 5_000; host += 1) policy?.onBlocked({ host: `h${host}.test`, port: 443, ...refusal })
      },
    }
    const { run, of, policies } = await startScoped({ handlers, scopePolicy: SCOPE })
    const code = (label: string, handler: string) => ({ type: 'code' as const, label, handler })
    await run(blocks(goto('https://example.com/'), code('a', 'take'), code('b', 'flood'), code('c', 'flood')))
    expect(of('request.blocked')).toHaveLength(200) // each once, and once more with its count
  })
})
