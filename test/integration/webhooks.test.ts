import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import {
  type AnyEvent,
  MemoryCredentialProvider,
  MemoryStorage,
  type RunEventType,
  verifyWebhook,
  type WebhookOptions,
  WorkflowEngine,
} from '../../src/index.js'

const SECRET = 'a secret that both sides have'

type Reply = (response: ServerResponse, request: IncomingMessage) => void
interface Received {
  readonly atMs: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly method: string | undefined
}

const answer =
  (status: number, headers: Record<string, string> = {}, body = ''): Reply =>
  (response) =>
    void response.writeHead(status, headers).end(body)

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A receiver on loopback that answers in the order that it was told; 200 from then on. */
async function startReceiver(...replies: Reply[]) {
  const received: Received[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    received.push({ atMs: performance.now(), headers: request.headers, body: Buffer.concat(chunks), method: request.method })
    const reply = replies.shift() ?? answer(200)
    reply(response, request)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  const connections = () =>
    new Promise<number>((resolve, reject) => server.getConnections((error, count) => (error ? reject(error) : resolve(count))))
  return { received, connections, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook` }
}

async function startEngine(webhooks: WebhookOptions = {}, storage = new MemoryStorage(), hostId = 'host_1') {
  const engine = new WorkflowEngine({
    ...{ storage, hostId, organizationId: 'acme', handlers: { noop: () => 'done' } },
    credentials: { memory: new MemoryCredentialProvider({ hook: SECRET }) },
    webhooks: { secret: { provider: 'memory', name: 'hook' }, allowPrivateAddresses: true, ...webhooks },
  })
  const events: AnyEvent<RunEventType>[] = []
  engine.onAny((event) => void (event.type.startsWith('webhook.') && events.push(event)))
  await engine.start()
  cleanups.push(() => engine.destroy())
  return { engine, events, storage }
}

async function run(engine: WorkflowEngine, webhookCallbackUrl: string) {
  const definition = { blocks: [{ type: 'code' as const, label: 'work', handler: 'noop' }] }
  const { workflowPermanentId } = await engine.createWorkflow({ title: 'Übung', definition, webhookCallbackUrl })
  const handle = await engine.startRun({ workflowPermanentId })
  return { workflowRunId: handle.workflowRunId, result: await handle.result() }
}

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  for (const giveUpAt = performance.now() + 15_000; performance.now() < giveUpAt; ) {
    if (await isTrue()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('it did not come true')
}

/** A run whose receiver answers so; gives what came of its webhook when that has ended, or after so many events. */
async function deliverTo(replies: readonly Reply[], webhooks: WebhookOptions = {}, eventCount?: number) {
  const receiver = await startReceiver(...replies)
  const { engine, events } = await startEngine(webhooks)
  const { workflowRunId } = await run(engine, receiver.url)
  const stored = () => engine.getRun({ workflowRunId })
  await until(async () => (eventCount === undefined ? (await stored()).webhookStatus !== 'pending' : events.length >= eventCount))
  const told = events.map(({ type, payload }) => [type.slice('webhook.'.length), (payload as { statusCode: number | null }).statusCode])
  return { ...receiver, engine, events, told, stored: await stored() }
}

const reasonOf = (event: AnyEvent | undefined) => (event?.payload as { reason?: string } | undefined)?.reason

describe('webhooks to a real receiver', () => {
  it('bring the result of the run, to the letter, with a signature that holds', async () => {
    const { received, url, connections } = await startReceiver()
    const { engine } = await startEngine()
    const { result, workflowRunId } = await run(engine, url)
    await until(async () => (await engine.getRun({ workflowRunId })).webhookStatus === 'delivered')
    const [{ headers, body, method } = {} as Received] = received
    expect(received).toHaveLength(1)
    expect([method, headers['content-type'], headers['user-agent'], headers.connection]).toEqual([
      'POST',
      'application/json',
      'runwright',
      'close',
    ])
    expect(Number(headers['content-length'])).toBe(body.length)
    expect(verifyWebhook({ headers, body, secret: SECRET }).result).toEqual(result)
    expect(body.toString()).toBe(JSON.stringify(JSON.parse(body.toString())))
    expect(() => verifyWebhook({ headers, body: Buffer.from(`${body} `), secret: SECRET })).toThrow('signature')
    await until(async () => (await connections()) === 0)
  })

  it('get through to one that answers 500 twice, under one id', async () => {
    const { received, told, stored } = await deliverTo([answer(500), answer(500)])
    expect(told).toEqual([
      ['failed', 500],
      ['failed', 500],
      ['delivered', 200],
    ])
    expect(new Set(received.map(({ headers }) => headers['x-runwright-delivery'])).size).toBe(1)
    expect(stored).toMatchObject({ webhookStatus: 'delivered', webhookFailureReason: null })
    for (const { headers, body } of received) expect(verifyWebhook({ headers, body, secret: SECRET }).result.status).toBe('completed')
  })

  it.each([
    ['in seconds', () => '2'],
    ['by date', () => new Date(Math.ceil(Date.now() / 1_000 + 2) * 1_000).toUTCString()],
  ])('wait as asked, %s', async (_, retryAfter) => {
    const busy: Reply = (response) => void response.writeHead(429, { 'retry-after': retryAfter() }).end()
    const { received, told } = await deliverTo([busy])
    expect(told.map(([, status]) => status)).toEqual([429, 200])
    const [first = 0, second = 0] = received.map(({ atMs }) => atMs)
    expect(second - first).toBeGreaterThan(1_990) // without being asked, it is a second at most
  })

  it('follow no redirect, wherever it leads', async () => {
    const inside = await startReceiver()
    const { received, told, events } = await deliverTo([answer(302, { location: inside.url })])
    expect([received.length, inside.received.length]).toEqual([1, 0])
    expect(told).toEqual([['failed', 302]])
    expect(reasonOf(events[0])).toContain('redirects are not followed')
  })

  it('try again after a connection that is cut, before and in the middle of an answer', async () => {
    const cut: Reply = (_, request) => request.socket.destroy()
    const cutInside: Reply = (response, request) =>
      void response.writeHead(200, { 'content-length': '1000' }).write('half', () => request.socket.destroy())
    const { told, events } = await deliverTo([cut, cutInside])
    expect(told).toEqual([
      ['failed', null],
      ['failed', null],
      ['delivered', 200],
    ])
    expect(reasonOf(events[0])).toBe('the request failed (ECONNRESET)')
  })

  it('are ended after their time by receivers that hang, or never end their answer', async () => {
    const hang: Reply = () => {}
    const drip: Reply = (response) => {
      response.writeHead(200)
      const timer = setInterval(() => response.write('.'), 20)
      response.on('close', () => clearInterval(timer))
    }
    const { told, events, connections } = await deliverTo([hang, drip], { timeoutMs: 300 })
    expect(told).toEqual([
      ['failed', null],
      ['failed', null],
      ['delivered', 200],
    ])
    expect(events.slice(0, 2).map(reasonOf)).toEqual(Array(2).fill('there was no whole answer within 300 ms'))
    await until(async () => (await connections()) === 0)
  })

  it('read no more of an answer than they need', async () => {
    let sentBytes = 0
    const flood: Reply = (response) => {
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(16_384))) sentBytes += 16_384
        if (!response.destroyed) response.once('drain', more)
      }
      response.writeHead(200)
      more()
    }
    const { told, connections } = await deliverTo([flood])
    expect(told).toEqual([['delivered', 200]])
    await until(async () => (await connections()) === 0)
    expect(sentBytes).toBeLessThan(16_000_000) // what the buffers of two sockets hold, at most
  })

  it('go to no private address, by number or by name, unless that is allowed', async () => {
    const { received, url } = await startReceiver()
    const { engine, events } = await startEngine({ allowPrivateAddresses: false })
    await run(engine, url)
    await run(engine, url.replace('127.0.0.1', 'localhost'))
    await run(engine, url.replace('127.0.0.1', '2130706433'))
    await run(engine, url.replace('127.0.0.1', '[::ffff:127.0.0.1]'))
    await until(() => events.length === 4)
    expect(received).toEqual([])
    for (const event of events) {
      expect(event).toMatchObject({ type: 'webhook.failed', payload: { statusCode: null, attempt: 1, nextAttemptAt: null } })
      expect(reasonOf(event)).toContain('public internet')
    }
  })

  it('find receivers by name', async () => {
    const { received, url } = await startReceiver()
    const { engine, events } = await startEngine()
    await run(engine, url.replace('127.0.0.1', 'localhost'))
    await until(() => events.length === 1)
    expect([events[0]?.type, received[0]?.headers.host]).toEqual(['webhook.delivered', `localhost:${new URL(url).port}`])
  })
})

describe('an engine', () => {
  it('promises no webhook that it could not sign', async () => {
    const engine = new WorkflowEngine({ storage: new MemoryStorage(), organizationId: 'acme' })
    await engine.start()
    cleanups.push(() => engine.destroy())
    const definition = { blocks: [{ type: 'wait' as const, label: 'pause', waitSec: 1 }] }
    const webhookCallbackUrl = 'https://receiver.example/'
    await expect(engine.createWorkflow({ title: 'A', definition, webhookCallbackUrl })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { path: 'webhookCallbackUrl' },
    })
    const { workflowPermanentId } = await engine.createWorkflow({ title: 'A', definition })
    await expect(engine.startRun({ workflowPermanentId, webhookCallbackUrl })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(await engine.listRuns()).toEqual([])
  })

  it('delivers what another one left, and none of two delivers anything twice', async () => {
    const { received, url } = await startReceiver()
    const { engine, storage, events } = await startEngine()
    const other = await startEngine({}, storage, 'host_2')
    for (let count = 0; count < 10; count++) await run(count % 2 === 0 ? engine : other.engine, url)
    await until(() => events.length + other.events.length === 10)
    expect(received).toHaveLength(10)
    expect(new Set(received.map(({ headers }) => headers['x-runwright-delivery'])).size).toBe(10)
  })

  it('delivers the result of a run that ended just before a stop', async () => {
    const { received, url } = await startReceiver()
    const { engine } = await startEngine()
    await run(engine, url)
    await engine.stop()
    expect(received).toHaveLength(1)
  })

  it('delivers once more when it is asked to', async () => {
    const { engine, stored, received } = await deliverTo([answer(404)])
    expect(stored).toMatchObject({ webhookStatus: 'failed', webhookFailureReason: 'the receiver answered 404' })
    const { workflowRunId } = stored
    const { deliveryId } = await engine.forOrganization('acme').redeliverWebhook({ workflowRunId })
    await until(async () => (await engine.getRun({ workflowRunId })).webhookStatus === 'delivered')
    expect(received.map(({ headers }) => headers['x-runwright-delivery'])).toEqual([deliveryId, deliveryId])
  })
})
