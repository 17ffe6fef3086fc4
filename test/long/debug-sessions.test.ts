import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { DebugSessions, defineWorkflow, MemoryStorage, SessionPool, WorkflowEngine } from '../../src/index.js'
import { PlaywrightDriver } from '../../src/playwright/index.js'
import { missingBrowser, startSite } from '../integration/playwright-kit.js'
import { describeUnless } from '../support/skips.js'

describeUnless(missingBrowser, 'a debug session in a real browser', () => {
  let site: Awaited<ReturnType<typeof startSite>>
  let baseDirectory: string
  let engine: WorkflowEngine
  let sessions: SessionPool
  let debug: DebugSessions
  let visits = 0
  const storage = new MemoryStorage()

  beforeAll(async () => {
    baseDirectory = await mkdtemp(join(tmpdir(), 'runwright-test-'))
    site = await startSite({
      '/shop': (_, response) => {
        visits += 1
        response.setHeader('content-type', 'text/html; charset=utf-8')
        response.end('<title>Shop</title><label>Name <input id="name"></label><p id="price">12 €</p><p id="note">sold out</p>')
      },
    })
    sessions = new SessionPool({ storage, driver: new PlaywrightDriver(), baseDirectory, organizationId: 'acme' })
    engine = new WorkflowEngine({ storage, sessions, organizationId: 'acme' })
    await engine.start()
    debug = new DebugSessions({ storage, engine, sessions, organizationId: 'acme' })
  })
  afterAll(async () => {
    await debug?.stop()
    await engine?.stop()
    await site?.stop()
    await rm(baseDirectory, { recursive: true, force: true, maxRetries: 5 })
  })

  const definition = (look: string) =>
    defineWorkflow({
      parameters: [{ kind: 'workflow', key: 'shop', type: 'string' }],
      blocks: [
        { type: 'extraction', label: 'open', url: '{{ shop }}', selectors: { price: { css: '#price' } } },
        {
          type: 'action',
          label: 'fill',
          steps: [{ type: 'input_text', target: { label: 'Name' }, value: 'costs {{ open_output.price }}' }],
        },
        { type: 'extraction', label: 'look', selectors: { found: { css: look } } },
      ],
    })

  it('runs one block after another on the live page, also one that was edited meanwhile', async () => {
    const { workflowPermanentId } = await engine.createWorkflow({ title: 'Shop', definition: definition('#price') })
    const place = { userId: 'ada', workflowPermanentId }
    const { debugSessionId, browserSessionId } = await debug.getOrCreate(place)
    const run = async (label: string) => {
      const handle = await debug.runBlocks({ debugSessionId, labels: [label], parameters: { shop: `${site.base}/shop` } })
      return handle.result({ timeoutMs: 30_000 })
    }
    expect(await run('open')).toMatchObject({ status: 'completed', browserSessionId })
    expect(await run('fill')).toMatchObject({ status: 'completed', browserSessionId })
    expect((await run('look')).outputs.look_output).toEqual({ found: '12 €' })
    await engine.updateWorkflow({ workflowPermanentId, definition: definition('#note'), expectedVersion: 1 })
    expect((await run('look')).outputs.look_output).toEqual({ found: 'sold out' })
    expect(visits).toBe(1) // the page stayed as it was

    const lease = await sessions.occupy({ browserSessionId, runnableType: 'test', runnableId: '1' })
    const page = await lease.page()
    expect(page.url()).toBe(`${site.base}/shop`)
    await lease.release()
    const typed = await engine.runAction({ browserSessionId, action: { type: 'extract', selectors: { name: { css: '#name' } } } as never })
    expect(typed.status).toBe('completed')
    expect(JSON.stringify(typed)).toContain('costs 12 €')

    expect((await debug.runs(debugSessionId)).map(({ blockLabel, status }) => `${blockLabel} ${status}`)).toEqual([
      'look completed',
      'look completed',
      'fill completed',
      'open completed',
    ])
    expect(Object.keys(await debug.blockOutputs(place)).toSorted()).toEqual(['fill', 'look', 'open'])
  })

  it('goes on with another browser when the first is killed', async () => {
    const { workflowPermanentId } = await engine.createWorkflow({ title: 'Shop', definition: definition('#price') })
    const place = { userId: 'bob', workflowPermanentId }
    const before = await debug.getOrCreate(place)
    const { pid } = await sessions.get({ browserSessionId: before.browserSessionId })
    process.kill(pid as number, 'SIGKILL')
    while ((await sessions.get({ browserSessionId: before.browserSessionId })).status === 'running')
      await new Promise((r) => setTimeout(r, 20))
    const after = await debug.getOrCreate(place)
    expect(after.debugSessionId).toBe(before.debugSessionId)
    expect(after.browserSessionId).not.toBe(before.browserSessionId)
    const handle = await debug.runBlocks({
      debugSessionId: after.debugSessionId,
      labels: ['open'],
      parameters: { shop: `${site.base}/shop` },
    })
    expect(await handle.result({ timeoutMs: 30_000 })).toMatchObject({ status: 'completed', browserSessionId: after.browserSessionId })
    await debug.complete({ debugSessionId: after.debugSessionId })
    expect((await sessions.get({ browserSessionId: after.browserSessionId })).status).toBe('completed')
  })
})
