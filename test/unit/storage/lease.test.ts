import { beforeEach, describe, expect, it } from 'vitest'
import {
  guardStorage,
  leaseCleared,
  leaseSet,
  MemoryStorage,
  renewals,
  type Storage,
  whereFree,
  whereHeld,
  whereLapsed,
} from '../../../src/storage/index.js'
import { FakeClock } from '../../../src/testing/index.js'
import { getRun, insertRun, T0 } from './contract/contract.js'

const ttlMs = 30_000

describe('leases', () => {
  let clock: FakeClock
  let storage: Storage
  beforeEach(async () => {
    clock = new FakeClock({ now: T0 })
    storage = guardStorage(new MemoryStorage({ clock }))
    await storage.open()
    await storage.commit([insertRun('a'), insertRun('b')])
  })

  const take = (id: string, holder: string, graceMs = 0) =>
    storage.commit([{ op: 'update', table: 'runs', id, where: whereFree({ graceMs }), set: leaseSet({ holder, ttlMs }) }])
  const writeAs = (id: string, holder: string, fence: number) =>
    storage.commit([{ op: 'update', table: 'runs', id, where: whereHeld({ holder, fence }), set: { stepCount: 1 } }])

  it('is taken by one, with a higher fence, until the storage’s clock says otherwise', async () => {
    expect(await take('a', 'h1')).toMatchObject({ ok: true })
    expect(await take('a', 'h2')).toMatchObject({ ok: false, reason: 'precondition' })
    expect(await getRun(storage, 'a')).toMatchObject({ leaseHolder: 'h1', leaseFence: 1, leaseExpiresAt: new Date(T0.getTime() + ttlMs) })
    await clock.advance(ttlMs)
    expect(await take('a', 'h2')).toMatchObject({ ok: false })
    await clock.advance(1)
    expect(await take('a', 'h2', 1_000)).toMatchObject({ ok: false })
    expect(await take('a', 'h2')).toMatchObject({ ok: true })
    expect(await getRun(storage, 'a')).toMatchObject({ leaseHolder: 'h2', leaseFence: 2 })
  })

  it('refuses the writes of a holder whose lease was taken over, not of one whose lease only ran out', async () => {
    await take('a', 'h1')
    await clock.advance(ttlMs + 1)
    expect(await writeAs('a', 'h1', 1)).toMatchObject({ ok: true })
    await take('a', 'h2')
    expect(await writeAs('a', 'h1', 1)).toMatchObject({ ok: false })
    expect(await writeAs('a', 'h2', 2)).toMatchObject({ ok: true })
  })

  it('refuses an older lease of the same holder', async () => {
    await take('a', 'h1')
    await clock.advance(ttlMs + 1)
    await take('a', 'h1')
    expect(await writeAs('a', 'h1', 1)).toMatchObject({ ok: false })
  })

  it('is free at once when it is given back, and keeps counting', async () => {
    await take('a', 'h1')
    await storage.commit([{ op: 'update', table: 'runs', id: 'a', where: whereHeld({ holder: 'h1', fence: 1 }), set: leaseCleared() }])
    expect(await take('a', 'h2')).toMatchObject({ ok: true })
    expect((await getRun(storage, 'a')).leaseFence).toBe(2)
  })

  it('renews all leases of a host in one statement, which leaves out those that were lost', async () => {
    await take('a', 'h1')
    await take('b', 'h1')
    await clock.advance(ttlMs + 1)
    await take('b', 'h2')
    const leases = [
      { id: 'a', holder: 'h1', fence: 1 },
      { id: 'b', holder: 'h1', fence: 1 },
    ]
    const result = await storage.commit([renewals({ table: 'runs', leases, ttlMs, where: { status: 'queued' }, set: { attempt: 5 } })])
    expect(result).toMatchObject({
      ok: true,
      rows: [[{ workflowRunId: 'a', attempt: 5, leaseExpiresAt: new Date(clock.now().getTime() + ttlMs) }]],
    })
    expect((await getRun(storage, 'b')).attempt).toBe(0)
  })

  it('is found by sweeps once it lapsed, free rows are not', async () => {
    await take('a', 'h1')
    expect(await storage.count('runs', whereLapsed())).toBe(0)
    await clock.advance(ttlMs + 1)
    expect(await storage.count('runs', whereLapsed())).toBe(1)
    expect(await storage.count('runs', whereLapsed({ graceMs: 5_000 }))).toBe(0)
  })
})
