import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type StartRunParams, WorkflowEngine, type WorkflowEngineOptions } from '../../src/engine/index.js'
import type { AnyEvent } from '../../src/events/index.js'
import { PlaywrightDriver } from '../../src/playwright/index.js'
import { SessionPool } from '../../src/sessions/index.js'
import { MemoryStorage } from '../../src/storage/index.js'
import { missingBrowser } from './playwright-kit.js'
import { EVIL_ADDRESS, GOOD_ADDRESS, type Page, proxyInto, startWorld, type World } from './scope-kit.js'

type Definition = Parameters<WorkflowEngine['createWorkflow']>[0]['definition']

const SCOPE = { allowedDomains: ['example.com'] }

/** What Chromium asks for by itself, whatever the page. */
const isOwnRequest = ({ host }: Record<string, unknown>) => /(^|\.)google(apis)?\.com$/.test(String(host))

const PAGES: Readonly<Record<string, Page>> = {
  '/': '<title>Home</title><h1>Home</h1><img src="http://ads.test/1"><img src="http://ads.test/2"><img src="http://ads.test/3">',
  '/login': `<title>Sign in</title><form method=post action="http://id.example.com/session">
    <input name=user id=user><input name=word id=word type=password><button id=go>Sign in</button></form>`,
  '/session': (_request, response) => {
    response.writeHead(303, { location: 'http://app.example.com/account', 'set-cookie': 'sid=1; Domain=example.com' }).end()
  },
  '/account': (request, response) => {
    response.setHeader('content-type', 'text/html')
    response.end(`<title>Account</title><p id=cookie>${request.headers.cookie ?? 'none'}</p><p id=echo></p>
      <script>const s = new WebSocket('ws://live.example.com/'); s.onopen = () => s.send('hello')
      s.onmessage = ({ data }) => { echo.textContent = data }</script>`)
  },
  '/leave': '<title>Leave</title><a id=out href="/redirect?to=http://evil.test/">out</a><a id=in href="/login">in</a>',
}

describe.skipIf(missingBrowser !== undefined)('runs under a policy', () => {
  let world: World
  const cleanups: (() => unknown)[] = []
  beforeAll(async () => {
    world = await startWorld(PAGES)
  })
  afterAll(() => world?.stop())
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
    world.evil.hits.length = 0
  })

  async function startHost(options: Partial<WorkflowEngineOptions> = {}, lookup?: Parameters<typeof proxyInto>[1]) {
    const { proxy, connected } = proxyInto(world, lookup)
    const storage = new MemoryStorage()
    const baseDirectory = mkdtempSync(join(tmpdir(), 'runwright-scope-'))
    const sessions = new SessionPool({
      storage,
      driver: new PlaywrightDriver(),
      networkGuard: proxy,
      organizationId: 'acme',
      baseDirectory,
    })
    const engine = new WorkflowEngine({ storage, sessions, organizationId: 'acme', ...options })
    const events: AnyEvent[] = []
    engine.onAny((event) => events.push(event))
    await engine.start()
    cleanups.push(
      () => rmSync(baseDirectory, { recursive: true, force: true }),
      () => engine.destroy(),
    )
    const run = async (definition: Definition, params: Partial<StartRunParams> = {}) => {
      const { workflowPermanentId } = await engine.createWorkflow({ title: 'Scoped', definition })
      return (await engine.startRun({ workflowPermanentId, ...params })).result()
    }
    const of = (type: string) => events.filter((event) => event.type === type).map(({ payload }) => payload as Record<string, unknown>)
    return { sessions, run, of, connected, storage }
  }

  it('work as they do without one: a sign-in over three hosts, a redirect, a WebSocket', async () => {
    const { run, of } = await startHost({ scopePolicy: SCOPE })
    const result = await run({
      blocks: [
        { type: 'goto_url', label: 'open', url: 'http://example.com/login' },
        {
          type: 'action',
          label: 'sign_in',
          steps: [
            { type: 'input_text', target: { css: '#user' }, value: 'ada' },
            { type: 'input_text', target: { css: '#word' }, value: 'secret' },
            { type: 'click', target: { css: '#go' } },
            { type: 'wait_for', text: 'echo hello' },
            { type: 'assert', target: { css: '#cookie' }, text: 'sid=1' },
          ],
        },
      ],
    })
    expect(result).toMatchObject({ status: 'completed', failureReason: null })
    expect(of('action.blocked')).toEqual([])
    expect(of('request.blocked').filter((request) => !isOwnRequest(request))).toEqual([])
    expect(world.evil.hits).toEqual([])
  })

  it('tell of each refused request once, and of how often', async () => {
    const { run, of } = await startHost()
    const result = await run({ blocks: [{ type: 'goto_url', label: 'open', url: 'http://example.com/' }] }, { scopePolicy: SCOPE })
    expect(result.status).toBe('completed')
    const requests = of('request.blocked').filter(({ host }) => host === 'ads.test')
    expect(requests[0]).toMatchObject({
      port: 80,
      rule: 'host',
      count: 1,
      url: null,
      reason: expect.stringContaining('ads.test is not among'),
    })
    expect(requests.length).toBeLessThanOrEqual(2)
    expect(world.evil.hits).toEqual([])
  })

  it('leave one event of a blocked action, whatever recovers from it', async () => {
    const { run, of } = await startHost({ scopePolicy: SCOPE })
    const result = await run({
      blocks: [
        { type: 'goto_url', label: 'open', url: 'http://example.com/leave' },
        {
          type: 'action',
          label: 'leave',
          steps: [
            { type: 'click', target: { css: '#out' }, onFailure: 'continue' },
            { type: 'assert', target: { css: '#in' }, state: 'visible' },
          ],
        },
      ],
    })
    expect(of('action.blocked')).toHaveLength(1)
    expect(of('action.blocked')[0]).toMatchObject({ type: 'click', error: { code: 'ACTION_BLOCKED' }, url: 'http://example.com/leave' })
    expect(result).toMatchObject({ status: 'failed', errorCode: 'ACTION_BLOCKED' })
    expect(world.evil.hits).toEqual([])
  })

  it('bind a named session for as long as they hold it', async () => {
    const { run, sessions, connected } = await startHost()
    const { browserSessionId } = await sessions.create({ guarded: true })
    const there: Definition = { blocks: [{ type: 'goto_url', label: 'open', url: 'http://evil.test/' }] }
    expect((await run(there, { browserSessionId })).status).toBe('completed')
    const requests = () => world.evil.hits.filter((hit) => hit !== 'connection').length
    const before = requests()
    expect(before).toBeGreaterThan(0)
    connected.length = 0
    const back: Definition = { blocks: [{ type: 'goto_url', label: 'open', url: 'http://example.com/login' }] }
    expect((await run(back, { browserSessionId, scopePolicy: SCOPE })).status).toBe('completed')
    expect(await run(there, { browserSessionId, scopePolicy: SCOPE })).toMatchObject({ errorCode: 'ACTION_BLOCKED' })
    expect(connected.every((address) => address.startsWith(GOOD_ADDRESS))).toBe(true)
    expect(requests()).toBe(before) // its open connection was cut, too
    const open = await sessions.create()
    expect(await run(back, { browserSessionId: open.browserSessionId, scopePolicy: SCOPE })).toMatchObject({
      status: 'failed',
      errorCode: 'SCOPE_NOT_ENFORCEABLE',
    })
  })

  it('go to the address that was checked, though the name has another one by then', async () => {
    let asked = 0
    let isRebound = false
    const lookup = async (name: string) => {
      if (name === 'private.example.com') return [{ address: '10.0.0.1', family: 4 }]
      if (!name.startsWith('rebind')) return [{ address: EVIL_ADDRESS, family: 4 }]
      asked += 1
      return [{ address: isRebound ? '127.0.0.1' : GOOD_ADDRESS, family: 4 }]
    }
    const { run, of, connected } = await startHost({ scopePolicy: SCOPE }, lookup)
    const goto = (url: string) => ({ blocks: [{ type: 'goto_url' as const, label: 'open', url }] })
    expect((await run(goto('http://rebind.example.com/login'))).status).toBe('completed')
    expect(asked).toBe(connected.length) // each connection goes to what its one look-up gave
    isRebound = true
    expect(await run(goto('http://rebind.example.com/login'))).toMatchObject({ status: 'failed', errorCode: 'ACTION_BLOCKED' })
    expect(await run(goto('http://private.example.com/'))).toMatchObject({ status: 'failed', errorCode: 'ACTION_BLOCKED' })
    expect(of('request.blocked').map(({ host, rule }) => `${host} ${rule}`)).toEqual(
      expect.arrayContaining(['rebind.example.com private_network', 'private.example.com private_network']),
    )
    expect(connected.filter((address) => !address.startsWith(GOOD_ADDRESS))).toEqual([])
    expect(world.evil.hits).toEqual([])
  })
})
