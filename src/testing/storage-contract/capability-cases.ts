import assert from 'node:assert/strict'
import { increment, type Storage, storageNow, type Write } from '../../storage/index.js'
import { withHostClockAhead } from './host-clock.js'
import { applied, type ContractCase, getRun, idsOf, instances, refused, seqsOf, sorted, upTo } from './kit.js'
import { append, insertBlock, insertRun } from './samples.js'

const HOUR_MS = 3_600_000

/** Durable and shared: run as claimed. */
export const capabilityCases: ContractCase[] = [
  {
    name: 'durable: what was committed is there after close, for the same instance and a new one; sequences go on',
    needs: 'durable',
    async run(storage, { another }) {
      await applied(storage, insertRun('a', { idempotencyKey: 'k' }), insertBlock('rb_1'), append('s', 'e1'))
      await refused(storage, append('s', 'lost'), { op: 'delete', table: 'runs', id: 'none' })
      const before = [await storage.get('runs', 'a'), await storage.get('run_blocks', 'rb_1'), await storage.readEvents({ stream: 's' })]
      await storage.close()
      const reopened = await another()
      await reopened.open()
      const state = async () => [
        await reopened.get('runs', 'a'),
        await reopened.get('run_blocks', 'rb_1'),
        await reopened.readEvents({ stream: 's' }),
      ]
      assert.deepEqual(await state(), before)
      assert.equal((await refused(reopened, insertRun('b', { idempotencyKey: 'k' }))).constraint, 'runs_idempotency_key')
      await applied(reopened, append('s', 'e2'))
      await reopened.close()
      await reopened.open()
      assert.deepEqual(await seqsOf(reopened, 's'), [1, 2])
    },
  },
  {
    name: 'shared: eight instances that open an empty database at the same time all succeed',
    needs: 'shared',
    startsClosed: true,
    async run(storage, { another }) {
      const all = [storage, ...(await Promise.all(upTo(7).map(another)))]
      await Promise.all(all.map((instance) => instance.open()))
      await Promise.all(all.map((instance, index) => applied(instance, insertRun(`wr_${index}`))))
      for (const instance of all) assert.equal(await instance.count('runs'), 8)
    },
  },
  {
    name: 'shared: what one instance commits, the others see at once, and cannot take twice',
    needs: 'shared',
    async run(storage, context) {
      const [one, two] = (await instances(storage, context, 2)) as [Storage, Storage]
      assert.equal(await two.get('runs', 'a'), undefined)
      await applied(one, insertRun('a', { idempotencyKey: 'k' }), append('s', 'e1'))
      assert.deepEqual(await two.get('runs', 'a'), await one.get('runs', 'a'))
      assert.equal((await refused(two, insertRun('b', { idempotencyKey: 'k' }))).reason, 'duplicate')
      const take: Write = { op: 'update', table: 'runs', id: 'a', where: { leaseHolder: null }, set: { leaseHolder: 'h' } }
      await applied(two, take, append('s', 'e2'))
      assert.equal((await getRun(one, 'a')).leaseHolder, 'h')
      assert.equal((await refused(one, take)).reason, 'precondition')
      assert.deepEqual(await seqsOf(one, 's'), [1, 2])
    },
  },
  {
    name: 'shared: of 64 writers in four instances that race for 8 rows, exactly one wins each; concurrent claims and increments lose nothing',
    needs: 'shared',
    async run(storage, context) {
      const all = await instances(storage, context, 4)
      await applied(storage, ...upTo(8).map((row) => insertRun(`wr_${row}`)), insertRun('counter', { status: 'paused' }))
      const race = async (instance: Storage, writer: number) => {
        const wins: number[] = []
        for (const row of upTo(8)) {
          const set = { leaseHolder: `host_${writer}`, leaseFence: increment() }
          const update: Write = { op: 'update', table: 'runs', id: `wr_${row}`, where: { leaseHolder: null }, set }
          if ((await instance.commit([update])).ok) wins.push(row)
        }
        await applied(instance, { op: 'update', table: 'runs', id: 'counter', set: { attempt: increment() } })
        return wins
      }
      const wins = await Promise.all(upTo(64).map((writer) => race(all[writer % 4] as Storage, writer)))
      assert.deepEqual(wins.flat().toSorted(), upTo(8))
      assert.equal((await getRun(storage, 'counter')).attempt, 64)
      const claim: Write = { op: 'claim', table: 'runs', where: { status: 'queued' }, orderBy: [], set: { status: 'running' } }
      const claims = await Promise.all(upTo(16).map((n) => (all[n % 4] as Storage).commit([claim])))
      const claimed = claims.flatMap((result) => (result.ok ? idsOf(result.rows[0]) : []))
      assert.deepEqual(
        sorted(claimed),
        upTo(8).map((row) => `wr_${row}`),
      )
    },
  },
  {
    name: 'shared: appenders in four instances leave no gap and no double in a stream',
    needs: 'shared',
    async run(storage, context) {
      const all = await instances(storage, context, 4)
      await Promise.all(upTo(40).map((n) => applied(all[n % 4] as Storage, append('s', `e${n}`, `f${n}`), append(`own:${n}`, 'x'))))
      assert.deepEqual(await seqsOf(storage, 's'), upTo(80))
      const ids = (await storage.readEvents({ stream: 's' })).map((event) => event.id)
      for (const n of upTo(40)) assert.equal(ids[ids.indexOf(`e${n}`) + 1], `f${n}`, 'events of one commit were torn apart')
    },
  },
  {
    name: 'shared: the clock is the storage’s own, whatever the clock of a host shows',
    needs: 'shared',
    needsOwnClock: true,
    async run(storage) {
      await applied(storage, insertRun('a'))
      const before = (await storage.now()).getTime()
      const [now, lapsed] = await withHostClockAhead(HOUR_MS, async () => {
        await applied(
          storage,
          { op: 'update', table: 'runs', id: 'a', set: { leaseExpiresAt: storageNow({ plusMs: HOUR_MS / 2 }) } },
          append('s', 'e'),
        )
        return [await storage.now(), await storage.count('runs', { leaseExpiresAt: { lt: storageNow() } })] as const
      })
      const expiresAt = (await getRun(storage, 'a')).leaseExpiresAt?.getTime() ?? 0
      const at = (await storage.readEvents({ stream: 's' }))[0]?.at.getTime() ?? 0
      for (const [what, ms] of [
        ['now()', now.getTime()],
        ['storageNow in a set', expiresAt - HOUR_MS / 2],
        ['the `at` of an event', at],
      ] as const) {
        assert.ok(ms - before < HOUR_MS / 4, `${what} is that of the host, whose clock was an hour ahead`)
      }
      assert.equal(lapsed, 0, 'storageNow in a condition is that of the host, whose clock was an hour ahead')
    },
  },
]
