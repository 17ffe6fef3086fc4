import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type BlockInput, MemoryCredentialProvider, MemoryStorage, type RunResult, SessionPool, WorkflowEngine } from '../../src/index.js'
import { PlaywrightDriver } from '../../src/playwright/index.js'
import { descendants } from '../support/leftovers.js'
import { describeUnless, missing } from '../support/skips.js'

const page = `<title>Shop</title><h1>Shop</h1><button>Buy</button><button>Sell</button><p class="price">12,50 €</p><p class="price">n/a</p>
<form><label>Code <input name="code"></label></form><p id="echo"></p>
<script>document.querySelector('input').addEventListener('input', (e) => { document.querySelector('#echo').textContent = 'you typed ' + e.target.value })</script>`

describeUnless(missing('chromium'), 'what goes wrong on real pages', () => {
  const storage = new MemoryStorage()
  const sessions = new SessionPool({ storage, driver: new PlaywrightDriver(), organizationId: 'acme' })
  const credentials = { memory: new MemoryCredentialProvider({ voucher: 'hush-hush-1234' }) }
  const engine = new WorkflowEngine({
    storage,
    sessions,
    credentials,
    organizationId: 'acme',
    actionTimeoutMs: 1_500,
    navigationTimeoutMs: 5_000,
  })
  let server: Server
  let site: string
  let browserSessionId: string

  beforeAll(async () => {
    server = createServer((request, response) => {
      if (request.url === '/hangs') return
      response.setHeader('content-type', 'text/html; charset=utf-8').end(page)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    site = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    await engine.start()
    browserSessionId = (await sessions.create()).browserSessionId
  })
  afterAll(async () => {
    await engine.stop()
    server.closeAllConnections()
    server.close()
  })

  async function run(blocks: BlockInput[], extra: object = {}): Promise<RunResult> {
    const parameters = [
      { kind: 'workflow' as const, key: 'site', type: 'string' as const, default: site },
      { kind: 'secret' as const, key: 'voucher', provider: 'memory', name: 'voucher' },
    ]
    const { workflowPermanentId } = await engine.createWorkflow({ title: 'Bad input', definition: { parameters, blocks }, ...extra })
    return (await engine.startRun({ workflowPermanentId, browserSessionId })).result()
  }

  it('names an address that nobody answers', async () => {
    const result = await run([{ type: 'goto_url', label: 'open', url: 'http://127.0.0.1:9/nothing' }])
    expect(result).toMatchObject({ status: 'failed', errorCode: 'NAVIGATION_FAILED' })
    expect(result.failureReason).toMatch(/Block "open" failed: goto_url http:\/\/127\.0\.0\.1:9\/nothing: .*ERR_/)
  })

  it('names what is no address', async () => {
    const result = await run([{ type: 'goto_url', label: 'open', url: 'http://:bad:address/' }])
    expect(result).toMatchObject({
      status: 'failed',
      errorCode: 'NAVIGATION_FAILED',
      failureReason: expect.stringContaining('is not an address'),
    })
  })

  it("opens no file of the host's, whoever names it", async () => {
    const result = await run([{ type: 'goto_url', label: 'open', url: 'file:///etc/passwd' }])
    expect(result).toMatchObject({
      status: 'failed',
      errorCode: 'ACTION_BLOCKED',
      failureReason: expect.stringContaining('file: addresses'),
    })
    const upload = { type: 'upload_file' as const, target: { css: 'input' }, file: '/etc/passwd' }
    const second = await run([{ type: 'action', label: 'upload', url: '{{ site }}', steps: [upload] }])
    expect(second).toMatchObject({ status: 'failed', errorCode: 'ACTION_FAILED', failureReason: expect.stringContaining('artifact id') })
    const types = (await storage.readEvents({ stream: `run:${result.workflowRunId}` })).map(({ type }) => type)
    expect(types).toContain('action.blocked')
  })

  it('goes on in another tab when the renderer of one has died', async () => {
    expect(await run([{ type: 'goto_url', label: 'open', url: '{{ site }}' }])).toMatchObject({ status: 'completed' })
    const { pid } = await sessions.get({ browserSessionId })
    const renderers = (await descendants(pid ?? -1)).filter(({ command }) => command.includes('--type=renderer'))
    for (const renderer of renderers) process.kill(renderer.pid, 'SIGKILL')
    const result = await vi.waitUntil(
      async () => {
        const next = await run([{ type: 'extraction', label: 'read', url: '{{ site }}', selectors: { title: 'h1' } }])
        return next.status === 'completed' && next
      },
      { timeout: 20_000, interval: 100 },
    )
    expect(result.outputs.read_output).toEqual({ title: 'Shop' })
  })

  it('gives up on a page that never answers', async () => {
    const result = await run([{ type: 'task', label: 'open', steps: [{ type: 'goto_url', url: '{{ site }}/hangs', timeoutMs: 500 }] }])
    expect(result).toMatchObject({ status: 'failed', errorCode: expect.stringMatching(/ACTION_TIMEOUT|NAVIGATION_FAILED/) })
  })

  it('names a selector that never appears', async () => {
    const result = await run([
      { type: 'action', label: 'press', url: '{{ site }}', steps: [{ type: 'click', target: { role: 'button', name: 'Rent' } }] },
    ])
    expect(result).toMatchObject({ status: 'failed', errorCode: 'TARGET_NOT_FOUND' })
    expect(result.failureReason).toMatch(/Step 2 of "press" failed: click button "Rent"/)
  })

  it('says how many elements an ambiguous target matches', async () => {
    const result = await run([{ type: 'action', label: 'press', url: '{{ site }}', steps: [{ type: 'click', target: { css: 'button' } }] }])
    expect(result).toMatchObject({ status: 'failed', errorCode: 'TARGET_AMBIGUOUS', failureReason: expect.stringMatching(/2/) })
  })

  it('names the field that cannot be read', async () => {
    const price = { css: '.price:nth-of-type(2)', type: 'number' as const }
    const result = await run([{ type: 'extraction', label: 'read', url: '{{ site }}', selectors: { price } }])
    expect(result).toMatchObject({ status: 'failed', errorCode: 'EXTRACTION_FAILED', failureReason: expect.stringMatching(/price/) })
  })

  it('says where extracted data does not fit its schema', async () => {
    const schema = { type: 'object', properties: { title: { type: 'string', minLength: 20 } } }
    const result = await run([{ type: 'extraction', label: 'read', url: '{{ site }}', selectors: { title: 'h1' }, schema }])
    expect(result).toMatchObject({ status: 'failed', errorCode: 'SCHEMA_MISMATCH', failureReason: expect.stringMatching(/title/) })
  })

  it('takes secrets out of what a page echoes', async () => {
    const result = await run([
      {
        type: 'action',
        label: 'type',
        url: '{{ site }}',
        steps: [{ type: 'input_text', target: { label: 'Code' }, value: '{{ voucher }}' }],
      },
      { type: 'extraction', label: 'read', selectors: { echo: '#echo' } },
    ])
    expect(result).toMatchObject({ status: 'completed', outputs: { read_output: { echo: 'you typed {{ voucher }}' } } })
    expect(JSON.stringify(storage.snapshot())).not.toContain('hush-hush')
  })

  it('stops a waiting click within a quarter of a second of a cancel', async () => {
    const steps = [{ type: 'click' as const, target: { css: '#never' }, timeoutMs: 30_000 }]
    const { workflowPermanentId } = await engine.createWorkflow({
      title: 'Waits',
      definition: {
        parameters: [{ kind: 'workflow', key: 'site', type: 'string', default: site }],
        blocks: [{ type: 'action', label: 'wait', url: '{{ site }}', steps }],
      },
    })
    const run = await engine.startRun({ workflowPermanentId, browserSessionId })
    for await (const event of run.events()) if (event.type === 'action.performed') break
    const canceledAt = performance.now()
    await run.cancel({ by: 'ada' })
    const result = await run.result()
    expect(performance.now() - canceledAt).toBeLessThan(2_500)
    expect(result).toMatchObject({ status: 'canceled', failureReason: 'canceled by ada', errors: [{ blockLabel: 'wait' }] })
  })

  it('is sound after all that: the same session runs the next workflow', async () => {
    const result = await run([{ type: 'extraction', label: 'read', url: '{{ site }}', selectors: { title: 'h1' } }])
    expect(result).toMatchObject({ status: 'completed', outputs: { read_output: { title: 'Shop' } } })
  })
})
