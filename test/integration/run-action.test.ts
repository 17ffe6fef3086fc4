import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { MemoryStorage, SessionPool, WorkflowEngine } from '../../src/index.js'
import { findChromium, PlaywrightDriver } from '../../src/playwright/index.js'
import { scriptedAgent } from '../../src/testing/index.js'
import { describeUnless } from '../support/skips.js'
import { missingBrowser, startSite } from './playwright-kit.js'

const SHOP = `<title>Shop</title>
<h1>Shop</h1>
<label>Name <input id="name"></label>
<label>Size <select id="size"><option value="s">Small</option><option value="l">Large</option></select></label>
<button id="ask" onclick="document.title = confirm('Sure?') ? 'yes' : 'no'">Ask</button>
<button id="buy" onclick="document.querySelector('#cart').textContent = document.querySelector('#name').value + ' ' + document.querySelector('#size').value">Buy</button>
<p id="cart"></p><p class="row">one</p><p class="row">two</p>
<button id="hidden" style="display:none">Never</button>`

const agent = scriptedAgent((page) => {
  if (page.snapshot.includes('Ada l')) return { status: 'completed', output: { cart: 'Ada l' } }
  return { type: 'click', target: { role: 'button', name: 'Buy' } }
})

describeUnless(missingBrowser, 'single actions and tasks in a real browser', () => {
  let site: Awaited<ReturnType<typeof startSite>>
  let baseDirectory: string
  let pool: SessionPool
  let engine: WorkflowEngine
  let browserSessionId: string
  const storage = new MemoryStorage()

  beforeAll(async () => {
    baseDirectory = await mkdtemp(join(tmpdir(), 'runwright-test-'))
    site = await startSite({ '/': SHOP, '/next': '<title>Next</title>' })
    pool = new SessionPool({ storage, driver: new PlaywrightDriver(), baseDirectory, organizationId: 'acme' })
    let open = () => {}
    const held = new Promise<void>((resolve) => {
      open = resolve
    })
    const handlers = {
      hold: async ({ page }: { page: { goto(url: string): Promise<unknown> } }) => void (await page.goto(site.base).then(() => held)),
      free: () => open(),
    }
    engine = new WorkflowEngine({ storage, sessions: pool, organizationId: 'acme', agent, handlers: handlers as never })
    await engine.start()
    browserSessionId = (await pool.create()).browserSessionId
  })
  afterAll(async () => {
    await engine.stop()
    await site.stop()
    await rm(baseDirectory, { recursive: true, force: true, maxRetries: 5 })
  })

  const act = (action: Parameters<WorkflowEngine['runAction']>[0]['action'], more: object = {}) =>
    engine.runAction({ browserSessionId, action, ...more })

  it('act on one session one after another, each in a run of its own', async () => {
    expect(await act({ type: 'goto_url', url: site.base })).toMatchObject({
      status: 'completed',
      value: { title: 'Shop', httpStatus: 200 },
    })
    expect(await act({ type: 'input_text', target: { label: 'Name' }, value: '{{ Ada }}' })).toMatchObject({
      status: 'completed',
      element: { tag: 'input' },
    })
    expect(await act({ type: 'select_option', target: { css: '#size' }, value: 'Large' })).toMatchObject({ status: 'completed' })
    expect(await act({ type: 'click', target: { role: 'button', name: 'Buy' } })).toMatchObject({ status: 'completed' })
    expect(await act({ type: 'extract', selectors: { cart: '#cart', rows: { css: '.row', all: true } } })).toMatchObject({
      status: 'completed',
      value: { cart: '{{ Ada }} l', rows: ['one', 'two'] },
    })
    const asked = await act({ type: 'click', target: { css: '#ask' }, dialog: { accept: true } })
    expect(asked).toMatchObject({ status: 'completed', dialogs: [{ type: 'confirm', message: 'Sure?', accepted: true }] })
    const shot = await act({ type: 'screenshot' })
    expect(shot.value).toBe(shot.screenshotArtifactId)
    expect((await engine.readArtifact({ artifactId: String(shot.value) })).artifact.mimeType).toBe('image/png')
    expect((await pool.get({ browserSessionId })).runnableId).toBeNull()
    expect(await storage.count('runs', { runType: 'action', status: 'completed' })).toBe(7)
  })

  it('name an element with several ways to find it, each of which finds it', async () => {
    const { element, status } = await act({ type: 'locate_element', target: { css: '#buy' } }, { url: site.base })
    expect(status).toBe('completed')
    expect(element).toMatchObject({ tag: 'button', role: 'button', name: 'Buy' })
    expect(element?.targets.length).toBeGreaterThan(1)
    for (const target of element?.targets ?? []) {
      expect(await act({ type: 'locate_element', target })).toMatchObject({ status: 'completed', element: { name: 'Buy' } })
    }
  })

  it('fail with what was on the page, within their deadline, and are canceled at once', async () => {
    const failed = await act({ type: 'click', target: { css: '#hidden' } }, { timeoutMs: 300 })
    expect(failed).toMatchObject({
      status: 'failed',
      error: { code: 'TARGET_NOT_ACTIONABLE' },
      screenshotArtifactId: expect.stringMatching(/^art_/),
    })
    const control = new AbortController()
    const waiting = act({ type: 'click', target: { css: '#never' } }, { signal: control.signal })
    setTimeout(() => control.abort(), 400)
    const before = performance.now()
    expect((await waiting).status).toBe('canceled')
    expect(performance.now() - before).toBeLessThan(400 + 10 * 250)
    expect((await act({ type: 'reload' })).status).toBe('completed')
  })

  it('act in a run that goes on, on its page', async () => {
    const { workflowPermanentId } = await engine.createWorkflow({
      title: 'Held',
      definition: { blocks: [{ type: 'code', label: 'hold', handler: 'hold' }] },
    })
    const run = await engine.startRun({ workflowPermanentId })
    for await (const event of run.events()) if (event.type === 'action.performed') break
    const { workflowRunId } = run
    expect(
      await engine.runAction({ workflowRunId, action: { type: 'input_text', target: { label: 'Name' }, value: 'Eve' } }),
    ).toMatchObject({
      workflowRunId,
      status: 'completed',
    })
    const free = await engine.createWorkflow({ title: 'Free', definition: { blocks: [{ type: 'code', label: 'free', handler: 'free' }] } })
    await (await engine.startRun({ workflowPermanentId: free.workflowPermanentId })).result()
    expect(await run.result()).toMatchObject({ status: 'completed', actionCount: 2 })
    const { blocks } = await engine.getTimeline({ workflowRunId })
    expect(blocks[0]?.attempts[0]?.actions.map(({ type }) => type)).toEqual(['input_text', 'goto_url'])
  })

  it('a task with steps, and one that an agent reaches by what it sees', async () => {
    const steps = [
      { type: 'input_text' as const, target: { label: 'Name' }, value: 'Ada' },
      { type: 'select_option' as const, target: { css: '#size' }, value: 'l' },
    ]
    const byList = await (
      await engine.runTask({ browserSessionId, url: site.base, steps, extraction: { selectors: { rows: { css: '.row', all: true } } } })
    ).result()
    expect(byList).toMatchObject({ status: 'completed', extractedInformation: [{ rows: ['one', 'two'] }], stepCount: 4 })
    const byAgent = await (await engine.runTask({ browserSessionId, navigationGoal: 'buy it' })).result()
    expect(byAgent).toMatchObject({ status: 'completed', extractedInformation: [{ cart: 'Ada l' }], stepCount: 1 })
    expect(agent.observations.at(-1)?.snapshot).toContain('Ada l')
  })

  it('on a browser of somebody else’s, which lives on', async () => {
    const foreign = await startForeignBrowser(join(baseDirectory, 'foreign'))
    try {
      const { browserAddress, child } = foreign
      const before = await foreign.pages()
      const result = await engine.runAction({ browserAddress, url: site.base, action: { type: 'extract', selectors: { title: 'h1' } } })
      expect(result).toMatchObject({ status: 'completed', value: { title: 'Shop' } })
      const run = await storage.get('runs', result.workflowRunId)
      expect(run).toMatchObject({ browserAddress, status: 'completed', ownsSession: true })
      expect(await storage.get('browser_sessions', String(run?.browserSessionId))).toMatchObject({
        status: 'completed',
        displayBackend: null,
        pid: null,
      })
      expect(child.exitCode).toBeNull()
      expect(await foreign.pages()).toEqual(before)
      child.kill('SIGKILL')
      await exited(child)
      expect(await engine.runAction({ browserAddress, action: { type: 'reload' } })).toMatchObject({
        status: 'failed',
        error: { code: 'BROWSER_LAUNCH_FAILED' },
      })
    } finally {
      foreign.child.kill('SIGKILL')
      await exited(foreign.child)
    }
  })
})

/** A Chromium of somebody else's, with its DevTools on a loopback port. */
async function startForeignBrowser(profile: string) {
  const args = ['--headless', '--no-sandbox', '--disable-gpu', '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank']
  const child = spawn(findChromium(), args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const address = await new Promise<string>((resolve) => {
    child.stderr.on('data', (data) => {
      const found = /ws:\/\/\S+/.exec(String(data))
      if (found !== null) resolve(found[0])
    })
  })
  const browserAddress = `http://${new URL(address).host}`
  const pages = async () => {
    const all = (await (await fetch(`${browserAddress}/json/list`)).json()) as { type: string; id: string }[]
    return all.filter(({ type }) => type === 'page').map(({ id }) => id)
  }
  return { child, browserAddress, pages }
}

const exited = (child: ChildProcess) =>
  child.exitCode !== null || child.signalCode !== null ? Promise.resolve() : new Promise((resolve) => child.once('exit', resolve))
