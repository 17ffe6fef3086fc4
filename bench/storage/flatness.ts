import { guardStorage, increment, MemoryStorage, type NewRow, type RunRow, type Storage, storageNow } from 'runwright'
import type { BenchContext } from '../lib/area.js'
import { openStorage, sharedServer } from '../lib/postgres.js'
import { median } from '../lib/statistics.js'
import { HOST, mustCommit, newEvent, ORGANIZATION } from './session-pair.js'

const FEW = 10
const PAGE = 5
/** Runs a commit while filling. */
const FILL = 250
const SECOND_MS = 1_000

/** Two storages that differ in how many runs they hold. */
interface Pair {
  readonly few: Storage
  readonly many: Storage
  readonly count: number
}

const runId = (index: number) => `wr_${String(index).padStart(7, '0')}`

/** Cost with many runs stored over that with ten: of a commit (conditional update with its event) and of a page of runs. */
export async function measureFlatness(context: BenchContext): Promise<Record<string, number>> {
  const postgres = await measurePair(context, 'Postgres', await postgresPair(context), context.isQuick ? 30 : 500)
  const memory = await measurePair(context, 'memory', await memoryPair(context), context.isQuick ? 30 : 100)
  return {
    flatness: Math.max(postgres.commit, postgres.page),
    flatnessCommit: postgres.commit,
    flatnessPage: postgres.page,
    memoryFlatnessCommit: memory.commit,
    memoryFlatnessPage: memory.page,
  }
}

async function measurePair(context: BenchContext, name: string, pair: Pair, turns: number): Promise<{ commit: number; page: number }> {
  context.progress(`flatness on ${name}, ${pair.count} runs`)
  const { few, many, count } = pair
  const commits = await takeTurns(turns, { few: () => touch(few, anyOf(0, FEW)), many: () => touch(many, anyOf(0, count)) })
  const pages = await takeTurns(turns, { few: () => page(few, anyOf(PAGE, FEW)), many: () => page(many, anyOf(PAGE, count)) })
  for (const [side, values] of Object.entries(commits)) context.sample(`flatness of a commit on ${name}, ${side} runs, ms`, values)
  for (const [side, values] of Object.entries(pages)) context.sample(`flatness of a page on ${name}, ${side} runs, ms`, values)
  return { commit: median(commits.many) / median(commits.few), page: median(pages.many) / median(pages.few) }
}

const anyOf = (from: number, to: number) => from + Math.floor(Math.random() * (to - from))

/** Times each side once a turn, in alternating order; the first turns warm up. */
async function takeTurns(
  turns: number,
  sides: { few(): Promise<void>; many(): Promise<void> },
): Promise<{ few: number[]; many: number[] }> {
  const times = { few: [] as number[], many: [] as number[] }
  for (let turn = -Math.ceil(turns / 5); turn < turns; turn++) {
    for (const side of turn % 2 === 0 ? (['few', 'many'] as const) : (['many', 'few'] as const)) {
      const ms = await timed(sides[side])
      if (turn >= 0) times[side].push(ms)
    }
  }
  return times
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

/** A write of the run's holder: under its fence, with an event. */
async function touch(storage: Storage, index: number): Promise<void> {
  const workflowRunId = runId(index)
  const where = { organizationId: ORGANIZATION, status: 'running', leaseHolder: HOST } as const
  const set = { leaseExpiresAt: storageNow({ plusMs: 30_000 }), stepCount: increment(), modifiedAt: storageNow() }
  await mustCommit(storage, [
    { op: 'update', table: 'runs', id: workflowRunId, where, set },
    { op: 'append', stream: `run:${workflowRunId}`, events: [newEvent('run.progress', { workflowRunId, label: 'block' })] },
  ])
}

/** A page of a list of runs, newest first. */
async function page(storage: Storage, index: number): Promise<void> {
  const rows = await storage.find({
    table: 'runs',
    where: { organizationId: ORGANIZATION },
    orderBy: [{ column: 'createdAt', direction: 'desc' }],
    limit: PAGE,
    after: runId(index),
  })
  if (rows.length !== PAGE) throw new Error(`A page of ${rows.length} runs`)
}

async function postgresPair(context: BenchContext): Promise<Pair> {
  const url = await sharedServer(context)
  return context.share('flatness', async () => {
    const count = context.isQuick ? 2_000 : 100_000
    const [few, many] = [await openStorage({ url, clients: 1 }), await openStorage({ url, clients: 1 })]
    await fill(few.storage, FEW)
    context.progress(`storing ${count} runs`)
    await fill(many.storage, count)
    await many.pool.query('VACUUM ANALYZE') // what autovacuum would do in the midst of the measurement
    const close = async () => {
      await many.close()
      await few.close()
    }
    return { value: { few: few.storage, many: many.storage, count }, close }
  })
}

async function memoryPair(context: BenchContext): Promise<Pair> {
  return context.share('flatness in memory', async () => {
    const count = context.isQuick ? 2_000 : 100_000
    const [few, many] = [guardStorage(new MemoryStorage()), guardStorage(new MemoryStorage())]
    await Promise.all([few.open(), many.open()])
    await fill(few, FEW)
    await fill(many, count)
    return { value: { few, many, count }, close: () => Promise.all([few.close(), many.close()]).then(() => {}) }
  })
}

async function fill(storage: Storage, count: number): Promise<void> {
  for (let from = 0; from < count; from += FILL) {
    const indexes = Array.from({ length: Math.min(FILL, count - from) }, (_, index) => from + index)
    await mustCommit(
      storage,
      indexes.flatMap((index) => [
        { op: 'insert', table: 'runs', row: storedRun(index) } as const,
        { op: 'append', stream: `run:${runId(index)}`, events: [newEvent('run.created', { workflowRunId: runId(index) })] } as const,
      ]),
    )
  }
}

function storedRun(index: number): NewRow<RunRow> {
  const at = new Date(Date.UTC(2_025, 0, 1) + index * SECOND_MS)
  return {
    workflowRunId: runId(index),
    organizationId: ORGANIZATION,
    workflowId: 'w_1',
    workflowPermanentId: `wpid_${index % 50}`,
    workflowTitle: 'Invoices of a month',
    runType: 'workflow',
    status: 'running',
    parameters: { month: '2025-01', url: 'https://shop.test/invoices' },
    rootWorkflowRunId: runId(index),
    ownsSession: false,
    isParked: false,
    hasDependents: false,
    takeovers: 0,
    pausedMs: 0,
    dryRun: false,
    priority: 0,
    leaseHolder: HOST,
    leaseFence: 1,
    leaseExpiresAt: at,
    attempt: 1,
    stepCount: 0,
    actionCount: 0,
    queuedAt: at,
    startedAt: at,
    createdAt: at,
    modifiedAt: at,
  }
}
