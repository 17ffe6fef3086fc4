import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { freshSchema, quietPool } from '../support/postgres-storages.js'

const program = fileURLToPath(new URL('./run-lanes-host.mts', import.meta.url))
const RUNS = 200
const LANES = 20

type Line = Readonly<Record<string, unknown>>

/** A process with an engine on the shared Postgres. */
class Host {
  readonly lines: Line[] = []
  readonly #child: ChildProcess

  constructor(argument: object) {
    this.#child = spawn(process.execPath, ['--import', 'tsx', program, JSON.stringify(argument)], { stdio: ['pipe', 'pipe', 'inherit'] })
    createInterface(this.#child.stdout as NodeJS.ReadableStream).on('line', (text) => this.lines.push(JSON.parse(text)))
  }

  /** The first line that has the key, from the n-th line on. */
  async hears(key: string, is: (line: Line) => boolean = () => true): Promise<Line> {
    for (const giveUpAt = performance.now() + 30_000; performance.now() < giveUpAt; await sleep(1)) {
      const line = this.lines.find((each) => key in each && is(each))
      if (line !== undefined) return line
    }
    throw new Error(`nothing was heard of ${key}`)
  }

  /** Has it do something, and gives its answer; one at a time. */
  async does(name: string, argument: unknown, answer: string): Promise<Line> {
    const known = this.lines.length
    this.#child.stdin?.write(`${JSON.stringify([name, argument])}\n`)
    const line = await this.hears(answer, (each) => this.lines.indexOf(each) >= known)
    return line
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const gone = once(this.#child, 'exit')
    this.#child.stdin?.end()
    await Promise.race([gone, sleep(10_000)])
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL')
    await gone
  }
}

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.stop())

const quantile = (values: readonly number[], q: number) => [...values].sort((a, b) => a - b)[Math.floor(values.length * q)] ?? Number.NaN
const inMs = (value: number) => Math.round(value * 10) / 10
const parameters = [
  { kind: 'workflow', key: 'lane', type: 'string', default: '' },
  { kind: 'workflow', key: 'number', type: 'integer', default: 0 },
]
const definitionOf = (handler: string) => ({
  parameters,
  blocks: [{ type: 'code', label: 'only', handler, parameterKeys: ['lane', 'number'] }],
})

it('of 200 runs in 20 lanes over 3 processes, each lane keeps its order and never has two at once', async () => {
  const schema = freshSchema()
  const { connectionString } = server
  const reader = quietPool(connectionString)
  const hosts = [1, 2, 3].map((n) => new Host({ connectionString, schema, hostId: `host_${n}`, concurrency: 3 }))
  const rows = async (text: string) => (await reader.query(text)).rows as Record<string, unknown>[]
  try {
    await Promise.all(hosts.map((host) => host.hears('ready')))
    const [first] = hosts as [Host]
    const workflow = { title: 'Lanes', definition: definitionOf('work'), sequentialKey: '{{ lane }}' }
    const { created: workflowPermanentId } = await first.does('create', workflow, 'created')
    for (let number = 0; number < RUNS; number++) {
      const lane = `lane_${(number * 7) % LANES}`
      // one after another, so that the order is known; by turns, so that each lane has runs of every process
      await (hosts[number % 3] as Host).does('start', { workflowPermanentId, parameters: { lane, number } }, 'started')
    }
    const isOver = async () =>
      Number((await rows(`SELECT count(*) FROM "${schema}".runs WHERE finished_at IS NOT NULL`))[0]?.count) === RUNS
    for (const giveUpAt = performance.now() + 60_000; !(await isOver()); await sleep(50))
      if (performance.now() > giveUpAt) throw new Error('the runs did not end')

    const worked = hosts.flatMap(({ lines }, host) => lines.filter((line) => 'worked' in line).map((line) => ({ ...line, host })))
    expect(worked).toHaveLength(RUNS)
    for (let lane = 0; lane < LANES; lane++) {
      const own = worked
        .map((line) => line as unknown as { worked: string; number: number; fromMs: number; toMs: number })
        .filter((line) => line.worked === `lane_${lane}`)
        .sort((one, other) => one.fromMs - other.fromMs)
      expect(own.map(({ number }) => number)).toEqual(own.map(({ number }) => number).sort((a, b) => a - b))
      expect(own.filter((line, index) => line.fromMs < (own[index - 1]?.toMs ?? 0))).toEqual([])
    }
    const shares = hosts.map((_, host) => worked.filter((line) => line.host === host).length)
    expect(Math.min(...shares)).toBeGreaterThan(0)
    // and by what is written down
    const ended = await rows(`SELECT status, attempt::int, is_parked, count(*)::int FROM "${schema}".runs GROUP BY 1, 2, 3`)
    expect(ended).toEqual([{ status: 'completed', attempt: 1, is_parked: false, count: RUNS }])
    expect(await rows(`SELECT * FROM "${schema}".leases`)).toEqual([])
    const overlaps = `SELECT a.workflow_run_id FROM "${schema}".runs a JOIN "${schema}".runs b ON a.sequential_lane = b.sequential_lane
      AND (a.queued_at, a.workflow_run_id) < (b.queued_at, b.workflow_run_id) AND b.started_at < a.finished_at`
    expect(await rows(overlaps)).toEqual([])
    console.info(`${RUNS} runs in ${LANES} lanes, of which the processes executed ${shares.join(', ')}`)
  } finally {
    await Promise.all(hosts.map((host) => host.end()))
    await reader.end()
  }
}, 120_000)

it('a queued run is begun by another process at once, and a cancel from another process reaches it at once', async () => {
  const schema = freshSchema()
  const { connectionString } = server
  const busy = new Host({ connectionString, schema, hostId: 'busy', concurrency: 1 })
  let idle: Host | undefined
  try {
    await busy.hears('ready')
    const definition = definitionOf('hang')
    const { created: workflowPermanentId } = await busy.does('create', { title: 'Hangs', definition }, 'created')
    await busy.does('start', { workflowPermanentId, parameters: { number: -1 } }, 'started')
    await busy.hears('hangs') // its only worker is taken
    idle = new Host({ connectionString, schema, hostId: 'idle', concurrency: 5 })
    await idle.hears('ready')
    const starts: number[] = []
    const cancels: number[] = []
    for (let number = 0; number < 60; number++) {
      const started = await busy.does('start', { workflowPermanentId, parameters: { number } }, 'started')
      const begun = await idle.hears('hangs', (line) => line.hangs === number)
      await sleep(Math.random() * 40)
      const canceled = await busy.does('cancel', started.started, 'canceled')
      const aborted = await idle.hears('aborted', (line) => line.aborted === number)
      if (number < 10) continue // both warm up
      starts.push(Number(begun.atMs) - Number(started.atMs))
      cancels.push(Number(aborted.atMs) - Number(canceled.atMs))
    }
    const told = [
      `a queued run begins in another process after ${inMs(quantile(starts, 0.5))} ms (p95 ${inMs(quantile(starts, 0.95))} ms)`,
      `a cancel arrives in another process after ${inMs(quantile(cancels, 0.5))} ms (p95 ${inMs(quantile(cancels, 0.95))} ms)`,
    ]
    console.info(told.join('; '))
    expect(quantile(starts, 0.5)).toBeLessThan(100)
    expect(quantile(cancels, 0.95)).toBeLessThan(500)
  } finally {
    await Promise.all([busy.end(), idle?.end()])
  }
}, 120_000)
