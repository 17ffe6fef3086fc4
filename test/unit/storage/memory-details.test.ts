import { describe, expect, it } from 'vitest'
import { InvalidArgumentError } from '../../../src/errors/index.js'
import { runStream, sessionStream } from '../../../src/events/index.js'
import { instant, type Table, table, text, textOrNull } from '../../../src/storage/columns.js'
import { guardStorage, MemoryStorage, storageNow, type Wake, type Write } from '../../../src/storage/index.js'
import { MemoryTable } from '../../../src/storage/memory/memory-table.js'
import { describeTable } from '../../../src/storage/table-meta.js'
import { FakeClock } from '../../../src/testing/index.js'
import { aBlock, anArtifact, append, aRun, insertBlock, insertRun, T0 } from './contract/contract.js'

describe('a unique key with a condition', () => {
  const debugSessions = describeTable(
    'debug_sessions',
    table({
      primaryKey: 'id',
      columns: { id: text(), status: text(), userId: textOrNull(), at: instant() },
      unique: [{ name: 'one_live', columns: ['userId', 'at'], where: { status: ['created', 'live'] } }],
    }) as unknown as Table,
  )
  const row = (id: string, status: string, userId: string | null = 'u') => ({ id, status, userId, at: T0 })

  it('binds only rows that meet it', () => {
    const rows = new MemoryTable(debugSessions)
    rows.replace(undefined, row('a', 'live'))
    expect(rows.conflictOf(row('b', 'ended'), true)).toBeUndefined()
    expect(rows.conflictOf(row('b', 'created'), true)).toMatchObject({ constraint: 'one_live', holder: { id: 'a' } })
    expect(rows.conflictOf(row('b', 'live', null), true)).toBeUndefined()
    expect(rows.conflictOf({ ...row('b', 'live'), at: new Date(0) }, true)).toBeUndefined()
  })

  it('sets the key free when its row no longer meets it', () => {
    const rows = new MemoryTable(debugSessions)
    rows.replace(undefined, row('a', 'live'))
    rows.replace(row('a', 'live'), row('a', 'ended'))
    expect(rows.conflictOf(row('b', 'live'), true)).toBeUndefined()
    expect(rows.conflictOf(row('a', 'live'), false)).toBeUndefined()
  })
})

describe('MemoryStorage', () => {
  it('takes its time from the clock it is given', async () => {
    const clock = new FakeClock({ now: T0 })
    const storage = guardStorage(new MemoryStorage({ clock }))
    await storage.open()
    await storage.commit([
      { op: 'insert', table: 'runs', row: { ...aRun('a'), leaseExpiresAt: storageNow({ plusMs: 1_000 }) } },
      append('s', 'e'),
    ])
    const lapsed = () => storage.count('runs', { leaseExpiresAt: { lte: storageNow() } })
    expect(await storage.now()).toEqual(T0)
    expect((await storage.readEvents({ stream: 's' }))[0]?.at).toEqual(T0)
    await clock.advance(999)
    expect(await lapsed()).toBe(0)
    await clock.advance(1)
    expect(await lapsed()).toBe(1)
  })

  it('wakes subscribers once for many commits of the same job, and survives one that throws', async () => {
    const storage = new MemoryStorage()
    const wakes: Wake[] = []
    await storage.subscribe(() => {
      throw new Error('a listener that throws')
    })
    await storage.subscribe((wake) => wakes.push(wake))
    await Promise.all([storage.commit([insertRun('a'), append('s', 'e1')]), storage.commit([append('s', 'e2')])])
    await Promise.resolve()
    expect(wakes).toEqual([{ stream: 's' }, { table: 'runs', id: 'a' }])
  })

  it('goes back to a snapshot, indexes and sequences included', async () => {
    const storage = new MemoryStorage()
    await storage.commit([
      insertRun('a', { idempotencyKey: 'k', parameters: { list: [1] } }),
      insertBlock('rb_1', { workflowRunId: 'a' }),
      append('s', 'e1'),
    ])
    const snapshot = storage.snapshot()
    await storage.commit([{ op: 'delete', table: 'runs', id: 'a' }, append('s', 'e2'), append('t', 'x')])
    await storage.commit([insertRun('b', { idempotencyKey: 'k' }), { op: 'delete', table: 'run_blocks', id: 'rb_1' }])
    storage.restore(structuredClone(snapshot))
    expect(storage.snapshot()).toEqual(snapshot)
    expect(await storage.commit([insertRun('c', { idempotencyKey: 'k' })])).toMatchObject({ ok: false, constraint: 'runs_idempotency_key' })
    expect(await storage.find({ table: 'run_blocks', where: { workflowRunId: 'a' } })).toHaveLength(1)
    expect(await storage.commit([append('s', 'e2')])).toMatchObject({ events: [[{ seq: 2 }]] })
    expect(await storage.readEvents({ stream: 't' })).toEqual([])
  })

  it('hands out snapshots that nobody else changes', async () => {
    const storage = new MemoryStorage()
    await storage.commit([insertRun('a', { parameters: { list: [1] } })])
    const snapshot = storage.snapshot()
    const list = snapshot.tables.runs[0]?.parameters.list as number[]
    list.push(2)
    expect((await storage.get('runs', 'a'))?.parameters).toEqual({ list: [1] })
    storage.restore(snapshot)
    list.push(3)
    expect((await storage.get('runs', 'a'))?.parameters).toEqual({ list: [1, 2] })
  })

  it('restores nothing from a snapshot that does not fit', async () => {
    const storage = new MemoryStorage()
    await storage.commit([insertRun('a')])
    const snapshot = storage.snapshot()
    const broken = { ...snapshot, tables: { ...snapshot.tables, artifacts: [{ artifactId: 'x' }] as never } }
    expect(() => storage.restore(broken)).toThrowError(expect.objectContaining({ code: 'STORAGE_INVALID_ROW' }))
    expect(await storage.count('runs')).toBe(1)
  })
})

describe('retention', () => {
  const session = (id: string): Write => ({
    op: 'insert',
    table: 'browser_sessions',
    row: {
      browserSessionId: id,
      organizationId: 'org',
      status: 'completed',
      private: true,
      attachable: false,
      detached: false,
      leaseFence: 0,
      guarded: false,
      interactor: 'agent',
      uses: 1,
      browserType: 'chromium',
      completedAt: T0,
      createdAt: T0,
      modifiedAt: T0,
    },
  })
  const whole = (id: string): Write[] => [
    insertRun(id, { status: 'running', ownsSession: true, browserSessionId: `bs_${id}` }),
    { op: 'insert', table: 'run_blocks', row: aBlock(`rb_${id}`, { workflowRunId: id }) },
    { op: 'insert', table: 'artifacts', row: anArtifact(`art_${id}`, { workflowRunId: id }) },
    append(runStream(id), 'e1'),
    session(`bs_${id}`),
    append(sessionStream(`bs_${id}`), 'e2'),
  ]
  const end = (id: string): Write => ({ op: 'update', table: 'runs', id, set: { status: 'completed', finishedAt: storageNow() } })

  it('keeps the newest ended runs and drops the rest with all that is theirs', async () => {
    const storage = new MemoryStorage({ retain: { runs: 2 } })
    for (const id of ['a', 'b', 'c', 'd']) await storage.commit(whole(id))
    for (const id of ['c', 'a', 'b']) await storage.commit([end(id), append(runStream(id), 'end')])
    expect((await storage.find({ table: 'runs' })).map((run) => run.workflowRunId)).toEqual(['a', 'b', 'd'])
    expect(await storage.count('run_blocks')).toBe(3)
    expect(await storage.count('artifacts', { workflowRunId: 'c' })).toBe(0)
    expect((await storage.find({ table: 'browser_sessions' })).map((row) => row.browserSessionId)).toEqual(['bs_a', 'bs_b', 'bs_d'])
    expect(await storage.readEvents({ stream: runStream('c') })).toEqual([])
    expect(await storage.readEvents({ stream: sessionStream('bs_c') })).toEqual([])
    expect(await storage.readEvents({ stream: runStream('a') })).toHaveLength(2)
  })

  it('never drops a run that has not ended, nor a session that has not', async () => {
    const storage = new MemoryStorage({ retain: { runs: 1 } })
    for (const id of ['a', 'b', 'c']) await storage.commit(whole(id))
    await storage.commit([{ op: 'update', table: 'browser_sessions', id: 'bs_a', set: { completedAt: null } }])
    await storage.commit([end('a')])
    await storage.commit([end('b')])
    expect((await storage.find({ table: 'runs' })).map((run) => run.workflowRunId)).toEqual(['b', 'c'])
    expect(await storage.get('browser_sessions', 'bs_a')).toBeDefined()
  })

  it('counts the runs of a restored snapshot', async () => {
    const all = new MemoryStorage()
    for (const id of ['a', 'b', 'c']) await all.commit([...whole(id)])
    for (const id of ['c', 'b', 'a']) {
      await all.commit([{ op: 'update', table: 'runs', id, set: { finishedAt: new Date(T0.getTime() + id.charCodeAt(0)) } }])
    }
    const storage = new MemoryStorage({ retain: { runs: 1 } })
    storage.restore(all.snapshot())
    expect((await storage.find({ table: 'runs' })).map((run) => run.workflowRunId)).toEqual(['c'])
  })

  it('wants a whole number of runs', () => {
    expect(() => new MemoryStorage({ retain: { runs: 0 } })).toThrow(InvalidArgumentError)
    expect(() => new MemoryStorage({ retain: { runs: 1.5 } })).toThrow('retain.runs must be a whole number of 1 or more')
  })
})
