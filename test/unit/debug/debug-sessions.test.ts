import { describe, expect, it } from 'vitest'
import { DebugSessions } from '../../../src/debug/index.js'
import { guardStorage } from '../../../src/storage/index.js'
import { begun, code, createWorld, failure, gate, settle, startHost, types, until, watchedStorage } from '../engine/kit.js'
import { handlers, startDebug } from './kit.js'

const MINUTE_MS = 60_000

describe('getOrCreate', () => {
  it('makes a debug session with a browser of four hours, and tells of it', async () => {
    const { open, memory, clock, told, workflowPermanentId } = await startDebug()
    const session = await open()
    expect(session).toMatchObject({ debugSessionId: 'ds_1', organizationId: 'acme', userId: 'ada', workflowPermanentId, status: 'created' })
    expect(session).toMatchObject({ vncStreamingSupported: false, deletedAt: null })
    const browser = await memory.get('browser_sessions', session.browserSessionId)
    expect(browser).toMatchObject({ status: 'running', timeoutMinutes: 240, private: false, idleTimeoutMinutes: null })
    expect(browser?.expiresAt?.getTime()).toBeGreaterThanOrEqual(session.createdAt.getTime() + 240 * MINUTE_MS)
    expect(browser?.expiresAt?.getTime()).toBeLessThanOrEqual(clock.now().getTime() + 240 * MINUTE_MS)
    expect(types(told)).toEqual(['debug_session.created'])
    expect(types(await memory.readEvents({ stream: 'debug:ds_1' }))).toEqual(['debug_session.created'])
  })

  it('gives the same one again, and puts the end of its browser off', async () => {
    const { open, memory, clock, driver } = await startDebug()
    const first = await open()
    await clock.advance(30 * MINUTE_MS)
    const askedAtMs = clock.now().getTime()
    expect(await open()).toEqual(first)
    const browser = await memory.get('browser_sessions', first.browserSessionId)
    expect(browser?.expiresAt?.getTime()).toBeGreaterThanOrEqual(askedAtMs + 240 * MINUTE_MS)
    expect(driver.handles).toHaveLength(1)
  })

  it('is for a user, a workflow and an organisation', async () => {
    const { open, debug, place, engine, clock } = await startDebug()
    const other = await engine.createWorkflow({ title: 'Other', definition: { blocks: [code('a', 'one')] } })
    const sessions = [
      await open(),
      await settle(debug.getOrCreate({ ...place, userId: 'bob' }), clock),
      await settle(debug.getOrCreate({ ...place, workflowPermanentId: other.workflowPermanentId }), clock),
    ]
    expect(new Set(sessions.map(({ debugSessionId }) => debugSessionId)).size).toBe(3)
    const elsewhere = debug.forOrganization('other')
    expect(await failure(elsewhere.getOrCreate(place))).toMatchObject({ code: 'WORKFLOW_NOT_FOUND' })
    expect(await failure(elsewhere.get({ debugSessionId: 'ds_1' }))).toMatchObject({ code: 'DEBUG_SESSION_NOT_FOUND' })
    expect(await failure(elsewhere.complete({ debugSessionId: 'ds_1' }))).toMatchObject({ code: 'DEBUG_SESSION_NOT_FOUND' })
    expect(await failure(elsewhere.runs('ds_1'))).toMatchObject({ code: 'DEBUG_SESSION_NOT_FOUND' })
    expect(await failure(elsewhere.runBlocks({ debugSessionId: 'ds_1', labels: ['a'] }))).toMatchObject({ code: 'DEBUG_SESSION_NOT_FOUND' })
  })

  it('takes proxy, headers and policy of the workflow, and what the options say', async () => {
    const { debug, engine, clock, memory, pool } = await startDebug({
      pool: { proxies: { get: () => ({ server: 'http://127.0.0.1:1' }) } as never },
      debug: { browser: { headless: true, viewport: { width: 800, height: 600 } } },
    })
    const { workflowPermanentId } = await engine.createWorkflow({
      title: 'Proxied',
      definition: { blocks: [code('a', 'one')] },
      proxyLocation: 'de',
    })
    const { browserSessionId } = await settle(debug.getOrCreate({ userId: 'ada', workflowPermanentId }), clock)
    expect(await memory.get('browser_sessions', browserSessionId)).toMatchObject({
      proxyLocation: 'de',
      viewport: { width: 800, height: 600 },
    })
    await settle(pool.close({ browserSessionId }), clock)
  })

  it.each([
    ['closed', async ({ pool }: Host, browserSessionId: string) => void (await pool.close({ browserSessionId }))],
    ['crashed', async ({ driver }: Host) => driver.handles[0]?.crash('gone')],
    ['expired', async ({ clock }: Host) => void (await clock.advance(241 * MINUTE_MS))],
    ['retired', async ({ memory }: Host, id: string) => void (await set(memory, id, { retiredAt: new Date() }))],
    ['of a dead host', async ({ memory }: Host, id: string) => void (await set(memory, id, { hostLeaseExpiresAt: new Date(0) }))],
  ])('keeps the debug session and replaces a browser that is %s', async (_, lose) => {
    const host = await startDebug()
    const first = await host.open()
    await lose(host, first.browserSessionId)
    await until(async () => (await host.memory.get('browser_sessions', first.browserSessionId)) !== undefined)
    const second = await host.open()
    expect(second).toMatchObject({ debugSessionId: first.debugSessionId, status: 'created' })
    expect(second.browserSessionId).not.toBe(first.browserSessionId)
    expect(await host.memory.count('debug_sessions')).toBe(1)
    await settle(host.debug.stop(), host.clock)
    const old = await host.memory.get('browser_sessions', first.browserSessionId)
    expect(['completed', 'failed', 'timeout']).toContain(old?.status)
    expect((await host.memory.get('browser_sessions', second.browserSessionId))?.timeoutMinutes).toBe(240)
    expect(host.told.at(-1)).toMatchObject({
      type: 'debug_session.moved',
      payload: { browserSessionId: second.browserSessionId, formerBrowserSessionId: first.browserSessionId },
    })
  })

  it('of many callers at once, in one process, launches one browser', async () => {
    const { debug, place, clock, driver, memory } = await startDebug({ pool: { maxSessions: 1 } })
    const all = await settle(Promise.all(Array.from({ length: 8 }, () => debug.getOrCreate(place))), clock)
    expect(new Set(all.map(({ debugSessionId }) => debugSessionId)).size).toBe(1)
    expect(driver.handles).toHaveLength(1)
    expect(await memory.count('debug_sessions')).toBe(1)
  })

  it('of two processes at once gives both the same one, and closes the browser of the one that lost', async () => {
    const world = createWorld()
    const one = await startDebug({ world, pool: { hostId: 'one' } })
    const other = await startHost({ world, pool: { hostId: 'two' }, engine: { handlers: handlers as never } })
    const { storage, clock, ids } = world
    const second = new DebugSessions({ storage, engine: other.engine, sessions: other.pool, clock, ids, organizationId: 'acme' })
    const [left, right] = await settle(Promise.all([one.debug.getOrCreate(one.place), second.getOrCreate(one.place)]), clock)
    expect(left).toEqual(right)
    const browsers = await world.memory.find({ table: 'browser_sessions' })
    expect(browsers).toHaveLength(2)
    expect(browsers.filter(({ status }) => status === 'running').map(({ browserSessionId }) => browserSessionId)).toEqual([
      left?.browserSessionId,
    ])
  })

  it('leaves no browser behind when its row cannot be written: it is closed, or ends within five minutes', async () => {
    const world = createWorld()
    const { storage, watched } = watchedStorage(world.memory)
    const host = await startHost({ world, engine: { handlers: handlers as never } })
    const { workflowPermanentId } = await host.engine.createWorkflow({ title: 'W', definition: { blocks: [code('a', 'one')] } })
    const place = { userId: 'ada', workflowPermanentId }
    const { engine, pool: sessions, clock, ids } = host
    const debug = new DebugSessions({ storage, engine, sessions, clock, ids, organizationId: 'acme' })
    await guardStorage(storage).open()
    watched.before = () => Promise.reject(new Error('the storage is away'))
    expect((await failure(settle(debug.getOrCreate(place), clock))).message).toContain('away')
    expect((await world.memory.find({ table: 'browser_sessions' })).map(({ status }) => status)).toEqual(['completed'])

    const stuck = {
      create: sessions.create.bind(sessions),
      renew: sessions.renew.bind(sessions),
      close: () => Promise.reject(new Error('no')),
    }
    const unlucky = new DebugSessions({ storage, engine, sessions: stuck as never, clock, ids, organizationId: 'acme' })
    expect((await failure(settle(unlucky.getOrCreate(place), clock))).message).toContain('away')
    await clock.advance(6 * MINUTE_MS)
    await until(async () => (await world.memory.count('browser_sessions', { status: 'running' })) === 0)
    expect(await world.memory.count('debug_sessions')).toBe(0)
  })
})

describe('recreate', () => {
  it('gives one back that is young and alive', async () => {
    const { open, debug, place, clock } = await startDebug()
    const first = await open()
    await clock.advance(20_000)
    expect(await settle(debug.recreate(place), clock)).toEqual(first)
  })

  it('replaces a young one whose browser is lost', async () => {
    const { open, debug, place, clock, pool } = await startDebug()
    const first = await open()
    await settle(pool.close({ browserSessionId: first.browserSessionId }), clock)
    expect((await settle(debug.recreate(place), clock)).debugSessionId).not.toBe(first.debugSessionId)
    expect(await debug.get({ debugSessionId: first.debugSessionId })).toMatchObject({ status: 'completed' })
  })

  it('completes the old one and closes its browser behind the call, whoever is on it', async () => {
    const passed = gate()
    const { open, debug, place, clock, memory, events, told } = await startDebug({
      engine: { handlers: { ...handlers, wait: () => passed.passed } as never },
      definition: { blocks: [code('a', 'wait')] },
    })
    const first = await open()
    const run = await settle(debug.runBlocks({ debugSessionId: first.debugSessionId, labels: ['a'] }), clock)
    await until(() => begun(events).length === 1)
    await clock.advance(31_000)
    const second = await settle(debug.recreate(place), clock)
    expect(second.debugSessionId).not.toBe(first.debugSessionId)
    expect(await debug.get({ debugSessionId: first.debugSessionId })).toMatchObject({ status: 'completed' })
    await settle(debug.stop(), clock)
    expect((await memory.get('browser_sessions', first.browserSessionId))?.status).toBe('completed')
    expect((await settle(run.result(), clock)).status).toBe('failed')
    expect(types(told)).toEqual(['debug_session.created', 'debug_session.completed', 'debug_session.created'])
    passed.open()
  })

  it('of many callers at once makes one', async () => {
    const { open, debug, place, clock, memory } = await startDebug()
    await open()
    await clock.advance(31_000)
    const all = await settle(Promise.all(Array.from({ length: 5 }, () => debug.recreate(place))), clock)
    expect(new Set(all.map(({ debugSessionId }) => debugSessionId)).size).toBe(1)
    expect(await memory.count('debug_sessions', { status: 'created' })).toBe(1)
    await settle(debug.stop(), clock)
    expect(await memory.count('browser_sessions', { status: 'running' })).toBe(1)
  })

  it('makes room first where the pool has none', async () => {
    const { open, debug, place, clock, memory } = await startDebug({ pool: { maxSessions: 1 } })
    await open()
    await clock.advance(31_000)
    const second = await settle(debug.recreate(place), clock)
    expect(second.debugSessionId).toBe('ds_2')
    expect(await memory.count('browser_sessions', { status: 'running' })).toBe(1)
  })

  it('tells of a browser that cannot be closed, which is out of use all the same', async () => {
    const host = await startDebug()
    const { engine, pool, storage, clock, ids, place, memory } = host
    const sessions = {
      create: pool.create.bind(pool),
      renew: pool.renew.bind(pool),
      close: () => Promise.reject(new Error('it clings')),
    } as never
    const debug = new DebugSessions({ storage, engine, sessions, clock, ids, organizationId: 'acme' })
    const told: { type: string; payload: unknown }[] = []
    debug.on('debug_session.failed', (payload, { type }) => told.push({ type, payload }))
    const first = await settle(debug.getOrCreate(place), clock)
    await clock.advance(31_000)
    await settle(debug.recreate(place), clock)
    await settle(debug.stop(), clock)
    expect(told).toEqual([
      { type: 'debug_session.failed', payload: expect.objectContaining({ code: 'UNKNOWN', reason: 'it clings', debugSessionId: 'ds_1' }) },
    ])
    await clock.advance(10_000) // the reaper of its host
    await until(async () => (await memory.get('browser_sessions', first.browserSessionId))?.status === 'completed')
    const log = await memory.readEvents({ stream: `session:${first.browserSessionId}` })
    expect(types(log)).toContain('session.retired')
  })
})

describe('complete', () => {
  it('ends the debug session and its browser; the next getOrCreate makes another', async () => {
    const { open, debug, clock, memory, told } = await startDebug()
    const first = await open()
    expect(await settle(debug.complete({ debugSessionId: first.debugSessionId }), clock)).toMatchObject({ status: 'completed' })
    expect((await memory.get('browser_sessions', first.browserSessionId))?.status).toBe('completed')
    const again = await debug.complete({ debugSessionId: first.debugSessionId })
    expect(again.status).toBe('completed')
    expect(types(told)).toEqual(['debug_session.created', 'debug_session.completed'])
    expect((await open()).debugSessionId).toBe('ds_2')
  })
})

type Host = Awaited<ReturnType<typeof startDebug>>
const set = (memory: Host['memory'], id: string, columns: object) =>
  memory.commit([{ op: 'update', table: 'browser_sessions', id, set: columns }])
