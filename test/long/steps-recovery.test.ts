import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type StepInput, WorkflowEngine } from '../../src/index.js'
import { PlaywrightDriver } from '../../src/playwright/index.js'
import { SessionPool } from '../../src/sessions/index.js'
import { MemoryStorage } from '../../src/storage/index.js'
import { missingBrowser, startSite } from '../integration/playwright-kit.js'

/** One order form in two makes: the second has other ids, classes and places, and the same words. */
const form = (fields: string) => `<title>Order</title><form method="post" action="/order">${fields}</form>`
const makes = [
  form(`<label>Name <input id="name" name="who"></label>
    <label>Size <select id="size" name="size"><option>S<option>L</select></label>
    <label><input id="gift" type="checkbox" name="gift" value="yes"> As a gift</label>
    <button id="send">Send order</button> <button id="drop" formaction="/drop">Delete all</button>`),
  form(`<div><button class="b1" formaction="/drop">Delete all</button> <button class="b2">Send order</button></div>
    <p><label>As a gift <input class="c" type="checkbox" name="gift" value="yes"></label></p>
    <p><label>Size <select class="s" name="size"><option>S<option>L</select></label></p>
    <p><label>Name <input class="n" name="who"></label></p>`),
]

describe.skipIf(missingBrowser !== undefined)('steps on real pages', () => {
  let make = 0
  let stalls = false
  const orders: string[] = []
  let site: Awaited<ReturnType<typeof startSite>>
  let directory: string
  let pool: SessionPool
  let engine: WorkflowEngine
  const storage = new MemoryStorage()
  let browserSessionId: string

  beforeAll(async () => {
    site = await startSite({
      '/': (_, response) => response.end(makes[make]),
      '/order': (request, response) => {
        let body = ''
        request.on('data', (part) => (body += part))
        request.on('end', () => {
          orders.push(body)
          if (stalls) return // no answer at all
          response.end('<title>Done</title><h1>Thank you</h1>')
        })
      },
      '/drop': (_, response) => {
        orders.push('dropped')
        response.end('gone')
      },
      '/late': (_, response) =>
        response.end(
          '<p id="n">0</p><script>setTimeout(() => document.body.insertAdjacentHTML("beforeend", "<button id=go onclick=\\"n.textContent++\\">Go</button>"), 1500)</script>',
        ),
    })
    directory = await mkdtemp(join(tmpdir(), 'runwright-test-'))
    pool = new SessionPool({ storage, driver: new PlaywrightDriver(), baseDirectory: directory, organizationId: 'acme' })
    engine = new WorkflowEngine({ storage, sessions: pool, organizationId: 'acme' })
    await engine.start()
    browserSessionId = (await pool.create({})).browserSessionId
  }, 30_000)

  afterAll(async () => {
    await engine?.destroy()
    await pool?.stop()
    await site?.stop()
    if (directory !== undefined) await rm(directory, { recursive: true, force: true, maxRetries: 5 })
  }, 30_000)

  const workflowOf = async (steps: readonly StepInput[], path = '/') =>
    (
      await engine.createWorkflow({
        title: 'Order',
        definition: { blocks: [{ type: 'navigation', label: 'order', url: site.base + path, steps: [...steps] }] },
      })
    ).workflowPermanentId
  const run = async (workflowPermanentId: string) => (await engine.startRun({ workflowPermanentId, browserSessionId })).result()
  const at = (css: string) => ({ target: { css }, timeoutMs: 700 })

  it('find their elements again on a page that was made anew, and do each thing once', async () => {
    const workflow = await workflowOf([
      { type: 'input_text', ...at('#name'), value: 'Ada' },
      { type: 'select_option', ...at('#size'), value: 'L' },
      { type: 'check', ...at('#gift') },
      { type: 'click', ...at('#send') },
      { type: 'assert', text: 'Thank you' },
    ])
    orders.length = 0
    make = 0
    expect(await run(workflow)).toMatchObject({ status: 'completed', outputs: { order_output: { recoveredSteps: 0 } } })
    make = 1
    const healed = await run(workflow)
    expect([healed.status, healed.failureReason]).toEqual(['completed', null])
    expect(healed.outputs).toMatchObject({ order_output: { recoveredSteps: 4 } })
    expect(orders.map((order) => order.split('&').sort().join('&'))).toEqual(Array(2).fill('gift=yes&size=L&who=Ada'))
    const actions = await storage.find({ table: 'actions', where: { workflowRunId: healed.workflowRunId }, limit: 100 })
    expect(actions.filter(({ recovery }) => recovery === 'alternative_target').map(({ status }) => status)).toEqual(
      Array(4).fill('completed'),
    )
  }, 20_000)

  it('do not take another element in the same place for their own', async () => {
    makes.push(form('<label>Name <input id="name" name="who"></label><button class="x">Delete all</button>'))
    const workflow = await workflowOf([{ type: 'click', ...at('#send') }])
    orders.length = 0
    make = 0
    expect((await run(workflow)).status).toBe('completed')
    make = 2
    expect(await run(workflow)).toMatchObject({ status: 'failed', errorCode: 'TARGET_NOT_FOUND' })
    expect(orders).toHaveLength(1)
  }, 20_000)

  it('never send an order twice when it is unknown if it arrived', async () => {
    make = 0
    stalls = true
    orders.length = 0
    try {
      const step = { action: { type: 'click' as const, ...at('#send') }, retries: 3, assert: { text: 'Thank you', timeoutMs: 400 } }
      expect((await run(await workflowOf([step]))).status).toBe('failed')
      expect(orders).toHaveLength(1)
    } finally {
      stalls = false
    }
  }, 20_000)

  it('are made again on the page as it is then', async () => {
    const step = { action: { type: 'click' as const, ...at('#go') }, retries: 3, assert: { target: { css: '#n' }, text: '1' } }
    const result = await run(await workflowOf([step], '/late'))
    expect(result).toMatchObject({ status: 'completed', outputs: { order_output: { recoveredSteps: 1 } } })
  }, 20_000)
})
