import { afterEach, describe, expect, it } from 'vitest'
import type { Webhooks } from '../../../src/engine/webhooks/webhooks.js'
import { verifyWebhook } from '../../../src/index.js'
import { faultyStorage } from '../../../src/testing/index.js'
import { createWorld, settle, until } from './kit.js'
import { createHost, endRun, FakeTransport, type HostParams, hangs, SECRET, stored, URL_1 } from './webhook-kit.js'

const open: { webhooks: Webhooks; clock: ReturnType<typeof createWorld>['clock'] }[] = []
afterEach(async () => {
  for (const { webhooks, clock } of open.splice(0)) await settle(webhooks.stopper({ graceful: false })(), clock)
})

async function startHost(params: HostParams = {}) {
  const host = createHost(params)
  open.push(host)
  await host.storage.open()
  host.webhooks.start()
  return host
}

/** A host with one delivery that is due. */
async function deliver(params: HostParams = {}) {
  const world = params.world ?? createWorld()
  await endRun(world)
  return startHost({ ...params, world })
}

const isEnded = async (world: ReturnType<typeof createWorld>, number = 1) => (await stored(world, number)).delivery?.status !== 'pending'

describe('a delivery', () => {
  it('is the result of the run, signed, and is told in the commit that ends it', async () => {
    const { transport, world, clock, emitted } = await deliver()
    await until(() => isEnded(world))
    const [request] = transport.requests
    expect(request).toMatchObject({ url: URL_1, headers: { 'content-type': 'application/json', 'user-agent': 'runwright' } })
    expect(request?.body).toBe('{"workflowRunId":"wr_1","status":"completed","outputs":{"a_output":"é"}}')
    const { deliveryId, timestamp, result } = verifyWebhook({
      ...(request as { headers: object; body: string }),
      headers: request?.headers ?? {},
      secret: SECRET,
      now: clock.now(),
    })
    expect([deliveryId, timestamp, result.workflowRunId]).toEqual(['whd_1', clock.now(), 'wr_1'])
    expect(await stored(world)).toMatchObject({
      delivery: { status: 'delivered', attempts: 1, statusCode: 200, failureReason: null, nextAttemptAt: null, leaseHolder: null },
      run: { webhookStatus: 'delivered', webhookFailureReason: null },
      events: [{ type: 'webhook.delivered', workflowRunId: 'wr_1', deliveryId: 'whd_1', attempt: 1, statusCode: 200 }],
    })
    expect(emitted.map(({ type, seq }) => [type, seq])).toEqual([['webhook.delivered', 1]])
  })

  it('is made three times, with growing waits, before it is given up', async () => {
    const { transport, world, clock } = await deliver({
      transport: new FakeTransport(500, Object.assign(new Error('secret inside'), { code: 'ECONNRESET' }), 503),
    })
    await until(async () => (await stored(world)).events.length === 1)
    expect(await stored(world)).toMatchObject({
      delivery: {
        status: 'pending',
        attempts: 1,
        statusCode: 500,
        leaseHolder: null,
        nextAttemptAt: new Date(clock.now().getTime() + 1_000),
      },
      run: { webhookStatus: 'pending', webhookFailureReason: 'the receiver answered 500' },
    })
    await clock.advance(999)
    expect(transport.requests).toHaveLength(1)
    await clock.advance(10)
    await until(async () => (await stored(world)).events.length === 2)
    await clock.advance(4_010)
    await until(() => isEnded(world))
    await clock.advance(60_000)
    expect(transport.requests.map(({ headers }) => headers['x-runwright-delivery'])).toEqual(['whd_1', 'whd_1', 'whd_1'])
    const times = transport.requests.map(({ headers }) => Number(headers['x-runwright-timestamp']))
    expect(new Set(times).size).toBe(3) // each is signed for its own time
    const { delivery, run, events } = await stored(world)
    expect(delivery).toMatchObject({ status: 'failed', attempts: 3, statusCode: 503, nextAttemptAt: null })
    expect(run).toMatchObject({ webhookStatus: 'failed', webhookFailureReason: 'the receiver answered 503' })
    expect(events.map(({ type, attempt, statusCode, reason }) => [type, attempt, statusCode, reason])).toEqual([
      ['webhook.failed', 1, 500, 'the receiver answered 500'],
      ['webhook.failed', 2, null, 'the request failed (ECONNRESET)'],
      ['webhook.failed', 3, 503, 'the receiver answered 503'],
    ])
    expect(events.map(({ nextAttemptAt }) => nextAttemptAt === null)).toEqual([false, false, true])
  })

  it('is given up at once after an answer that will not change, or a refused address', async () => {
    for (const reply of [404, 302, { kind: 'refused', reason: 'it is private' } as const]) {
      const { transport, world, clock } = await deliver({ transport: new FakeTransport(reply) })
      await until(() => isEnded(world))
      await clock.advance(60_000)
      expect(transport.requests).toHaveLength(1)
      expect((await stored(world)).run?.webhookStatus).toBe('failed')
    }
  })

  it('waits as long as its receiver asks, half a minute at most', async () => {
    const later = { kind: 'answered', statusCode: 429, retryAfter: '20' } as const
    const { transport, world, clock } = await deliver({ transport: new FakeTransport(later, { ...later, retryAfter: '86400' }) })
    await until(async () => (await stored(world)).events.length === 1)
    await clock.advance(19_990)
    expect(transport.requests).toHaveLength(1)
    await clock.advance(20)
    await until(async () => (await stored(world)).events.length === 2)
    await clock.advance(29_900)
    expect(transport.requests).toHaveLength(2)
    await clock.advance(200)
    await until(() => isEnded(world))
    expect((await stored(world)).delivery).toMatchObject({ status: 'delivered', attempts: 3 })
  })

  it('is ended after its time, when the receiver hangs', async () => {
    const { world, clock, transport } = await deliver({
      transport: new FakeTransport(hangs),
      webhooks: { unsigned: true, timeoutMs: 2_000 },
    })
    await until(() => transport.requests.length === 1)
    await clock.advance(2_000)
    await until(async () => (await stored(world)).events.length === 1)
    expect(transport.requests[0]?.signal.aborted).toBe(true)
    expect((await stored(world)).events).toMatchObject([{ statusCode: null, reason: 'there was no whole answer within 2000 ms' }])
  })

  it('of a run that was removed meanwhile is dropped', async () => {
    const { memory, clock, world, transport } = await deliver({ transport: new FakeTransport(hangs) })
    await until(() => transport.requests.length === 1)
    await memory.commit([{ op: 'delete', table: 'runs', id: 'wr_1' }])
    await clock.advance(30_000)
    await until(async () => (await stored(world)).delivery === undefined)
    expect((await stored(world)).events).toEqual([])
  })
})

describe('the secret', () => {
  const failing = { get: async () => Promise.reject(new Error(`it is ${SECRET}`)) }

  it('is asked for at every attempt, by organisation, and written nowhere', async () => {
    const asked: string[] = []
    const memory = {
      get: async ({ organizationId, name }: { organizationId: string; name: string }) => {
        asked.push(`${organizationId}/${name}`)
        return SECRET
      },
    }
    const { world, clock } = await deliver({
      transport: new FakeTransport(500),
      credentials: { memory },
      webhooks: { secret: async (organizationId) => ({ provider: 'memory', name: `of_${organizationId}` }) },
    })
    await until(async () => (await stored(world)).events.length === 1)
    await clock.advance(1_100)
    await until(() => isEnded(world))
    expect(asked).toEqual(['org/of_org', 'org/of_org'])
    expect(JSON.stringify(await stored(world))).not.toContain(SECRET)
  })

  it('that cannot be had sends nothing: tried again where that may pass, given up where not', async () => {
    const logged: unknown[] = []
    const log = (...line: unknown[]) => void logged.push(line)
    const logger = { debug: log, info: log, warn: log, error: log }
    const broken = await deliver({ credentials: { memory: failing }, logger })
    await until(async () => (await stored(broken.world)).events.length === 1)
    expect((await stored(broken.world)).delivery).toMatchObject({ status: 'pending' })
    const absent = await deliver({ credentials: { memory: { get: async () => undefined } }, logger })
    await until(() => isEnded(absent.world))
    const none = await deliver({ webhooks: { secret: () => null }, logger })
    await until(() => isEnded(none.world))
    const empty = await deliver({ credentials: { memory: { get: async () => '' } }, logger })
    await until(() => isEnded(empty.world))
    for (const { transport, world } of [broken, absent, none, empty]) {
      expect(transport.requests).toEqual([])
      expect(JSON.stringify([await stored(world), logged])).not.toContain(SECRET)
    }
    expect((await stored(none.world)).run?.webhookFailureReason).toBe('The organisation has no webhook secret')
  })

  it('may be none where that is wanted: then there is no signature', async () => {
    const { transport, world } = await deliver({ webhooks: { unsigned: true } })
    await until(() => isEnded(world))
    expect(Object.keys(transport.requests[0]?.headers ?? {})).toEqual([
      'content-type',
      'user-agent',
      'x-runwright-delivery',
      'x-runwright-timestamp',
    ])
  })

  it('is what makes an engine deliver: without one, deliveries are left to others', async () => {
    const { transport, world, clock } = await deliver({ webhooks: {} })
    await clock.advance(60_000)
    expect(transport.requests).toEqual([])
    expect(clock.pendingTimers).toBe(0)
    expect((await stored(world)).delivery).toMatchObject({ status: 'pending', leaseFence: 0 })
  })
})

describe('several hosts', () => {
  it('make each delivery once', async () => {
    const world = createWorld()
    for (let number = 1; number <= 40; number++) await endRun(world, number, { organizationId: `org_${number % 5}` })
    const transport = new FakeTransport()
    await Promise.all([1, 2, 3].map((number) => startHost({ world, transport, hostId: `host_${number}` })))
    await until(async () => (await world.memory.count('webhook_deliveries', { status: 'delivered' })) === 40)
    await world.clock.advance(120_000)
    expect(transport.requests).toHaveLength(40)
    expect(new Set(transport.requests.map(({ headers }) => headers['x-runwright-delivery'])).size).toBe(40)
  })

  it('go on with one whose host was lost between sending and writing it down, under the same id', async () => {
    const world = createWorld()
    const faulty = faultyStorage(world.memory, { calls: ['commit'], failAtCall: 2, fails: 'onwards' }) // the claim, then nothing more
    const transport = new FakeTransport()
    await endRun(world)
    await startHost({ world, storage: faulty, transport, hostId: 'victim' })
    await until(() => transport.requests.length === 1)
    await startHost({ world, transport, hostId: 'heir' })
    await world.clock.advance(44_000)
    expect(transport.requests).toHaveLength(1) // its lease is alive
    await world.clock.advance(10_000)
    await until(() => isEnded(world))
    expect(transport.requests.map(({ headers }) => headers['x-runwright-delivery'])).toEqual(['whd_1', 'whd_1'])
    expect(await stored(world)).toMatchObject({
      delivery: { status: 'delivered', attempts: 1, leaseFence: 2 },
      events: [{ type: 'webhook.delivered', attempt: 1 }],
    })
  })

  it('write nothing about a delivery that was taken over from them', async () => {
    const world = createWorld()
    let answer = (_: { kind: 'answered'; statusCode: number; retryAfter: null }) => {}
    const late = () => new Promise<never>((resolve) => (answer = resolve as never))
    const slow = await deliver({ world, transport: new FakeTransport(late), hostId: 'slow' })
    await until(() => slow.transport.requests.length === 1)
    await world.memory.commit([{ op: 'update', table: 'webhook_deliveries', id: 'whd_1', set: { leaseHolder: 'other', leaseFence: 2 } }])
    answer({ kind: 'answered', statusCode: 404, retryAfter: null })
    await until(() => slow.webhooks.sendingCount === 0)
    expect(await stored(world)).toMatchObject({
      delivery: { status: 'pending', leaseHolder: 'other' },
      run: { webhookStatus: 'pending' },
      events: [],
    })
  })

  it('are not held up by the hanging receiver of one organisation', async () => {
    const world = createWorld()
    for (let number = 1; number <= 20; number++) await endRun(world, number, { organizationId: 'hanging' })
    await endRun(world, 21, { organizationId: 'quick' })
    const transport = new FakeTransport(...Array.from({ length: 8 }, () => hangs))
    await startHost({ world, transport })
    await until(() => isEnded(world, 21))
    expect(transport.requests).toHaveLength(9)
  })
})

describe('the looks', () => {
  it('come every five seconds for what others left, and at once for what ended here', async () => {
    const world = createWorld()
    const { transport, webhooks } = await startHost({ world })
    await world.clock.advance(0)
    await endRun(world, 1)
    await world.clock.advance(4_900)
    expect(transport.requests).toEqual([])
    await world.clock.advance(200)
    await until(() => isEnded(world, 1))
    await endRun(world, 2)
    webhooks.ended({ webhookStatus: null })
    await world.clock.advance(0)
    expect(transport.requests).toHaveLength(1)
    webhooks.ended({ webhookStatus: 'pending' })
    await until(() => isEnded(world, 2))
  })

  it('go on after one that failed', async () => {
    const world = createWorld()
    await endRun(world)
    const storage = faultyStorage(world.memory, { failAtCall: 1, calls: ['find'] })
    await startHost({ world, storage })
    await world.clock.advance(5_000)
    await until(() => isEnded(world))
  })
})

describe('a stop', () => {
  it('lets an attempt finish, and leaves no timer', async () => {
    let answer = (_: unknown) => {}
    const late = () => new Promise<never>((resolve) => (answer = resolve as never))
    const { webhooks, transport, world, clock } = await deliver({ transport: new FakeTransport(late) })
    await until(() => transport.requests.length === 1)
    const stopping = webhooks.stopper({})()
    answer({ kind: 'answered', statusCode: 200, retryAfter: null })
    await stopping
    expect((await stored(world)).delivery?.status).toBe('delivered')
    expect(clock.pendingTimers).toBe(0)
  })

  it('leaves one that does not finish to others, at once and uncounted', async () => {
    const { webhooks, transport, world, clock } = await deliver({ transport: new FakeTransport(hangs) })
    await until(() => transport.requests.length === 1)
    await settle(webhooks.stopper({ timeoutMs: 1_000 })(), clock)
    expect((await stored(world)).delivery).toMatchObject({ status: 'pending', attempts: 0, leaseHolder: null })
    expect(clock.pendingTimers).toBe(0)
    await startHost({ world, hostId: 'heir' })
    await until(() => isEnded(world))
  })

  it('waits no longer when it is hurried', async () => {
    const { webhooks, transport, world } = await deliver({ transport: new FakeTransport(hangs) })
    await until(() => transport.requests.length === 1)
    const stopping = webhooks.stopper({})()
    webhooks.hurry()
    await stopping
    expect((await stored(world)).delivery?.leaseHolder).toBeNull()
  })
})

describe('redeliver', () => {
  const ref = { organizationId: 'org', workflowRunId: 'wr_1' }

  it('makes new attempts at a failed delivery, under its id', async () => {
    const { webhooks, world, transport, clock } = await deliver({ transport: new FakeTransport(404, 500) })
    await until(() => isEnded(world))
    expect(await webhooks.redeliver(ref)).toMatchObject({ deliveryId: 'whd_1', status: 'pending', attempts: 0 })
    await until(async () => (await stored(world)).events.length === 2)
    await clock.advance(1_100)
    await until(() => isEnded(world))
    expect(transport.requests.map(({ headers }) => headers['x-runwright-delivery'])).toEqual(['whd_1', 'whd_1', 'whd_1'])
    expect(await stored(world)).toMatchObject({
      delivery: { status: 'delivered', attempts: 2 },
      run: { webhookStatus: 'delivered', webhookFailureReason: null },
    })
  })

  it('ends the wait of one that is to be tried again, and counts on', async () => {
    const { webhooks, world } = await deliver({ transport: new FakeTransport({ kind: 'answered', statusCode: 429, retryAfter: '30' }) })
    await until(async () => (await stored(world)).events.length === 1)
    await webhooks.redeliver(ref)
    await until(() => isEnded(world))
    expect((await stored(world)).delivery).toMatchObject({ status: 'delivered', attempts: 2 })
  })

  it('leaves one alone that is on its way', async () => {
    const { webhooks, transport } = await deliver({ transport: new FakeTransport(hangs) })
    await until(() => transport.requests.length === 1)
    expect(await webhooks.redeliver(ref)).toMatchObject({ status: 'pending', attempts: 0 })
    expect(transport.requests).toHaveLength(1)
  })

  it('knows nothing of runs of others, or without a webhook', async () => {
    const { webhooks, memory, world } = await deliver()
    await until(() => isEnded(world))
    await expect(webhooks.redeliver({ ...ref, organizationId: 'other' })).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' })
    await memory.commit([{ op: 'delete', table: 'webhook_deliveries', id: 'whd_1' }])
    await expect(webhooks.redeliver(ref)).rejects.toMatchObject({ code: 'WEBHOOK_DELIVERY_NOT_FOUND' })
    const unable = await startHost({ world, webhooks: {} })
    await expect(unable.webhooks.redeliver(ref)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })
})
