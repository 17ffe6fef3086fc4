import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { SessionEventType } from '../../../src/events/index.js'
import { currentProcessSpace } from '../../../src/runtime/index.js'
import { SessionPool, type SessionPoolOptions } from '../../../src/sessions/index.js'
import { StreamingSupervisor } from '../../../src/streaming/index.js'
import { createWorld, FakeStreaming, failure, RUN_1, reasonCode, row, startPool, types } from './kit.js'

describe('the pool', () => {
  it('stops without a timer, a browser, a folder or a listener left, held sessions included', async () => {
    const streaming = new FakeStreaming()
    const { pool, driver, clock, storage, directories } = await startPool({ streaming })
    const free = await pool.create()
    const lease = await pool.createOccupied({ runnable: RUN_1 })
    driver.scriptLaunch({ delayMs: 5_000 })
    const creating = failure(pool.create())
    while (driver.pendingLaunches === 0) await new Promise((resolve) => setImmediate(resolve))
    await pool.stop()
    expect(await creating).toMatchObject({ code: 'NOT_RUNNING' })
    expect(reasonCode(lease)).toBe('LEASE_LOST')
    expect([clock.pendingTimers, driver.liveHandles, directories(), driver.pendingLaunches]).toEqual([0, 0, [], 0])
    expect(driver.handles.map((handle) => handle.listenerCount)).toEqual([0, 0])
    expect(await row(storage, free.browserSessionId)).toMatchObject({ status: 'completed', closeReason: 'shutdown' })
    expect(await row(storage, lease.browserSessionId)).toMatchObject({ status: 'completed', closeReason: 'shutdown', leaseToken: null })
    expect(streaming.calls.at(-1)).toBe('stop')
    expect(pool.stats()).toMatchObject({ running: 0, held: 0, starting: 0, ending: 0, warm: 0, warming: 0, waiting: 0, maxSessions: 10 })
    expect(pool.health().status).toBe('down')
    expect(await failure(pool.create())).toMatchObject({ code: 'NOT_RUNNING' })
  })

  it('stops even when the storage does not answer any more', async () => {
    const world = createWorld()
    const { pool, driver, directories, storage } = await startPool({}, world)
    await pool.create()
    storage.commit = async () => {
      throw new Error('gone')
    }
    await pool.stop()
    expect([driver.liveHandles, directories(), world.clock.pendingTimers]).toEqual([0, [], 0])
  })

  it('can be started again', async () => {
    const { pool } = await startPool()
    await pool.stop()
    await pool.stop()
    expect(await pool.start()).toBe(true)
    expect(await pool.start()).toBe(false)
    expect(await pool.create()).toMatchObject({ status: 'running' })
  })

  it('leaves streaming alone that somebody else started', async () => {
    const streaming = new FakeStreaming()
    await streaming.start()
    const { pool } = await startPool({ streaming })
    await pool.stop()
    expect(streaming.calls).not.toContain('stop')
  })

  it('refuses calls before it is started', async () => {
    const world = createWorld()
    const { driver } = await startPool({}, world)
    const pool = new SessionPool({ storage: world.storage, driver, organizationId: 'acme' })
    expect(await failure(pool.create())).toMatchObject({ code: 'NOT_RUNNING' })
    expect(await failure(pool.occupy({ browserSessionId: 'bs_1', ...RUN_1 }))).toMatchObject({ code: 'NOT_RUNNING' })
    expect(pool.health().status).toBe('down')
  })

  it('refuses options that it does not know or that do not fit', async () => {
    const { storage, driver } = await startPool()
    const make = (options: object) => () => new SessionPool({ storage, driver, ...options } as SessionPoolOptions)
    expect(make({ maxSesions: 3 })).toThrow(/maxSesions/)
    expect(make({ maxSessions: 0 })).toThrow(/maxSessions/)
    expect(make({ driver: {} })).toThrow(/BrowserDriver/)
    expect(make({ storage: undefined })).toThrow(/Storage/)
  })

  it('takes a StreamingSupervisor', async () => {
    const { storage, driver } = await startPool()
    const streaming = new StreamingSupervisor({ storage })
    expect(new SessionPool({ storage, driver, streaming }).health().status).toBe('down')
  })

  it('removes at its start what provably dead hosts left, and nothing else', async () => {
    const world = createWorld()
    const dead = spawn(process.execPath, ['-e', '0'])
    await new Promise((resolve) => dead.once('exit', resolve))
    const leave = (name: string, owner?: object) => {
      mkdirSync(join(world.baseDirectory, name))
      if (owner !== undefined) writeFileSync(join(world.baseDirectory, name, 'owner.json'), JSON.stringify(owner))
    }
    const here = { machineId: hostname(), hostId: 'h', browserSessionId: 'bs', space: currentProcessSpace(), startTime: null }
    leave('runwright-session-dead', { ...here, pid: dead.pid })
    leave('runwright-session-reused', { ...here, pid: process.pid, startTime: '1' })
    leave('runwright-session-alive', { ...here, pid: process.pid })
    leave('runwright-session-elsewhere', { ...here, machineId: 'other', pid: dead.pid })
    leave('runwright-session-unknown')
    leave('something-else')
    await startPool({}, world)
    const left = ['runwright-session-alive', 'runwright-session-elsewhere', 'runwright-session-unknown', 'something-else']
    expect(world.directories().sort()).toEqual(left)
  })
})

describe('listeners of the pool', () => {
  it('that throw change nothing and are reported', async () => {
    const failures: unknown[] = []
    const { pool } = await startPool({ onListenerError: (error) => failures.push(error) })
    const heard: SessionEventType[] = []
    pool.on('session.started', () => {
      throw new Error('listener')
    })
    pool.on('session.started', (payload, event) => {
      heard.push(event.type)
      expect(payload.pid).not.toBeNull()
    })
    expect(await pool.create()).toMatchObject({ status: 'running' })
    expect([failures.length, heard]).toEqual([1, ['session.started']])
  })

  it('hear of a close when the session can no longer be had', async () => {
    const { pool } = await startPool()
    const { browserSessionId } = await pool.create()
    let running = -1
    pool.on('session.closed', () => {
      running = pool.stats().running
    })
    await pool.close({ browserSessionId })
    expect(running).toBe(0)
  })
})

describe('events of a session', () => {
  it('are replayed, then live, without gap or duplicate, and end with the session', async () => {
    const { pool, clock } = await startPool()
    const { browserSessionId } = await pool.create()
    const seen: number[] = []
    const reading = (async () => {
      for await (const event of pool.events({ browserSessionId })) seen.push(event.seq)
    })()
    for (let round = 0; round < 20; round += 1) {
      const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
      await lease.release()
      if (round % 5 === 0) await clock.advance(0)
    }
    await pool.close({ browserSessionId })
    await reading
    expect(seen).toEqual(Array.from({ length: 43 }, (_, index) => index + 1))
    const late: string[] = []
    for await (const event of pool.events({ browserSessionId, after: 42 })) late.push(event.type)
    expect(late).toEqual(['session.closed'])
  })

  it('come by polling where the storage wakes nobody, and stop with the signal', async () => {
    const world = createWorld()
    const { pool, clock, storage } = await startPool({}, world)
    Object.assign(storage, { subscribe: undefined })
    const { browserSessionId } = await pool.create()
    const abort = new AbortController()
    const iterator = pool.events({ browserSessionId, after: 2, signal: abort.signal })
    const next = iterator.next()
    await clock.advance(500)
    await pool.occupy({ browserSessionId, ...RUN_1 })
    await clock.advance(500)
    expect(types([(await next).value ?? { type: 'none' }])).toEqual(['session.occupied'])
    const waiting = failure(iterator.next())
    await clock.advance(0)
    abort.abort(new Error('enough'))
    expect(await waiting).toMatchObject({ message: 'enough' })
    await pool.stop()
    expect(clock.pendingTimers).toBe(0)
  })
})
