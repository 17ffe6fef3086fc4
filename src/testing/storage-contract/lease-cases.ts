import assert from 'node:assert/strict'
import {
  increment,
  leaseSet,
  type RunRow,
  renewals,
  storageNow,
  type Write,
  whereFree,
  whereHeld,
  whereLapsed,
} from '../../storage/index.js'
import { applied, type ContractCase, getRun, idsOf, refused, runIds } from './kit.js'
import { append, aRun, insertRun } from './samples.js'

const take = (holder: string, ttlMs: number): Write => ({
  op: 'update',
  table: 'runs',
  id: 'wr_1',
  where: whereFree(),
  set: leaseSet({ holder, ttlMs }),
})

/** Milliseconds by which an instant may be rounded. */
const ROUNDING = 1

/** Time and rights that end: what all of the domain's safety stands on. */
export const leaseCases: ContractCase[] = [
  {
    name: 'storageNow, in inserted rows, in sets, in events and in conditions, is the clock that now() shows',
    async run(storage) {
      await applied(storage, insertRun('wr_1'))
      const before = (await storage.now()).getTime() - ROUNDING
      const result = await applied(
        storage,
        { op: 'insert', table: 'runs', row: { ...aRun('wr_2'), createdAt: storageNow() } },
        { op: 'update', table: 'runs', id: 'wr_1', set: { leaseExpiresAt: storageNow({ plusMs: 5_000 }) } },
        append('s', 'e'),
      )
      const after = (await storage.now()).getTime() + ROUNDING
      const between = (instant: Date | null | undefined, plusMs: number, what: string) => {
        const ms = (instant?.getTime() ?? Number.NaN) - plusMs
        assert.ok(ms >= before && ms <= after, `${what} is ${ms - before} ms after a now() before it, ${after - ms} ms before one after it`)
      }
      between((await getRun(storage, 'wr_2')).createdAt, 0, 'storageNow in an inserted row')
      between((await getRun(storage, 'wr_1')).leaseExpiresAt, 5_000, 'storageNow in a set')
      between(result.events[2]?.[0]?.at, 0, 'the `at` of an event')
      const lapsed = (plusMs: number) => storage.count('runs', { leaseExpiresAt: { lte: storageNow({ plusMs }) } })
      assert.deepEqual([await lapsed(5_000 - 60_000), await lapsed(5_000 + 60_000)], [0, 1], 'storageNow in a condition')
    },
  },
  {
    name: 'a lease is taken only while it is free or has lapsed, by the storage’s clock',
    async run(storage) {
      await applied(storage, insertRun('wr_1'))
      await applied(storage, take('host_a', 60_000))
      assert.equal(((await refused(storage, take('host_b', 60_000))).current as RunRow).leaseHolder, 'host_a')
      const lapse: Write = { op: 'update', table: 'runs', id: 'wr_1', set: { leaseExpiresAt: storageNow({ plusMs: -1_000 }) } }
      await applied(storage, lapse)
      assert.deepEqual(await runIds(storage, { where: whereLapsed() }), ['wr_1'])
      assert.deepEqual(await runIds(storage, { where: whereLapsed({ graceMs: 60_000 }) }), [])
      await applied(storage, take('host_b', 60_000))
      const { leaseHolder, leaseFence } = await getRun(storage, 'wr_1')
      assert.deepEqual([leaseHolder, leaseFence], ['host_b', 2])
    },
  },
  {
    name: 'a holder that was taken over cannot write any more: its writes, its events and its renewal change nothing',
    async run(storage) {
      await applied(storage, insertRun('wr_1'))
      await applied(storage, take('host_a', -1_000))
      await applied(storage, take('host_b', 60_000))
      const before = await getRun(storage, 'wr_1')
      const where = whereHeld({ holder: 'host_a', fence: 1 })
      const zombie: Write = { op: 'update', table: 'runs', id: 'wr_1', where, set: { status: 'completed' } }
      for (const batch of [
        [zombie, append('run:wr_1', 'zombie')],
        [append('run:wr_1', 'zombie'), zombie],
      ]) {
        const refusal = await refused(storage, ...batch)
        assert.deepEqual([batch[refusal.index], refusal.reason], [zombie, 'precondition'])
      }
      const leases = [{ id: 'wr_1', holder: 'host_a', fence: 1 }]
      const renewal = await applied(storage, renewals({ table: 'runs', leases, ttlMs: 60_000 }))
      assert.deepEqual(idsOf(renewal.rows[0]), [])
      assert.deepEqual(await getRun(storage, 'wr_1'), before)
      assert.deepEqual(await storage.readEvents({ stream: 'run:wr_1' }), [])
    },
  },
  {
    name: 'of 64 writers that race for 8 rows, exactly one wins each',
    async run(storage) {
      await applied(storage, ...Array.from({ length: 8 }, (_, row) => insertRun(`wr_${row}`)))
      const races = Array.from({ length: 64 }, async (_, writer) => {
        const wins: number[] = []
        for (let row = 0; row < 8; row++) {
          const set = { leaseHolder: `host_${writer}`, leaseFence: increment() }
          const result = await storage.commit([{ op: 'update', table: 'runs', id: `wr_${row}`, where: { leaseHolder: null }, set }])
          if (result.ok) wins.push(row)
        }
        return wins
      })
      const wins = (await Promise.all(races)).flat()
      assert.deepEqual(wins.toSorted(), [0, 1, 2, 3, 4, 5, 6, 7])
      assert.deepEqual(new Set((await storage.find({ table: 'runs' })).map((run) => run.leaseFence)), new Set([1]))
      assert.equal((await runIds(storage, { where: { leaseHolder: null } })).length, 0)
    },
  },
  {
    name: 'of writers that race for a key, exactly one gets it',
    async run(storage) {
      const results = await Promise.all(
        Array.from({ length: 16 }, (_, writer) =>
          storage.commit([append('s', `e${writer}`), insertRun(`wr_${writer}`, { idempotencyKey: 'k' })]),
        ),
      )
      const losers = results.filter((result) => !result.ok)
      assert.equal(losers.length, 15)
      for (const loser of losers) assert.deepEqual([loser.index, loser.reason, loser.constraint], [1, 'duplicate', 'runs_idempotency_key'])
      assert.equal(await storage.count('runs'), 1)
      assert.equal((await storage.readEvents({ stream: 's' })).length, 1)
    },
  },
]
