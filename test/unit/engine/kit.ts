import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import type { WorkflowDefinitionInput } from '../../../src/definition/index.js'
import { type CreateWorkflowParams, type StartRunParams, WorkflowEngine, type WorkflowEngineOptions } from '../../../src/engine/index.js'
import type { AnyEvent, RunResult } from '../../../src/events/index.js'
import { SessionPool, type SessionPoolOptions } from '../../../src/sessions/index.js'
import { MemoryStorage, type Storage, type Write } from '../../../src/storage/index.js'
import { FakeBrowserDriver, type FakeBrowserDriverOptions, FakeClock, sequentialIds } from '../../../src/testing/index.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** Clock, storage and ids that several engines can share. */
export interface World {
  readonly clock: FakeClock
  readonly memory: MemoryStorage
  /** What the engines get: the memory, or a wrapper of it. */
  readonly storage: Storage
  readonly ids: ReturnType<typeof sequentialIds>
}

export function createWorld(wrap: (storage: MemoryStorage, clock: FakeClock) => Storage = (storage) => storage): World {
  const clock = new FakeClock()
  const memory = new MemoryStorage({ clock })
  return { clock, memory, storage: wrap(memory, clock), ids: sequentialIds() }
}

/** An engine on fakes, started, destroyed after the test; engines made with the world of another share its storage. */
export async function startEngine(options: Partial<WorkflowEngineOptions> = {}, world: World = createWorld()) {
  const { clock, storage, ids } = world
  const engine = new WorkflowEngine({ storage, clock, ids, organizationId: 'acme', handlers, ...options })
  const events: AnyEvent[] = []
  engine.onAny((event) => events.push(event))
  await engine.start()
  cleanups.push(() => settle(engine.destroy(), clock))
  return { ...world, world, engine, events, ...callsOf(engine, clock) }
}

function callsOf(engine: WorkflowEngine, clock: FakeClock) {
  const start = async (definition: Definition, params: Partial<StartRunParams> & { workflow?: Partial<CreateWorkflowParams> } = {}) => {
    const { workflow, ...rest } = params
    const { workflowPermanentId } = await engine.createWorkflow({ title: 'A test', definition, ...workflow })
    return engine.startRun({ workflowPermanentId, ...rest })
  }
  /** Starts a run and lets time pass until it has ended. */
  const run = async (definition: Definition, params: Parameters<typeof start>[1] = {}): Promise<RunResult> => {
    const handle = await start(definition, params)
    return settle(handle.result(), clock)
  }
  return { start, run }
}

export type Definition = WorkflowDefinitionInput

/** The same with a pool of scripted browsers. */
export async function startHost(
  options: {
    engine?: Partial<WorkflowEngineOptions>
    pool?: Partial<SessionPoolOptions>
    driver?: FakeBrowserDriverOptions
    world?: World
  } = {},
) {
  const world = options.world ?? createWorld()
  const { clock, storage, ids } = world
  const baseDirectory = mkdtempSync(join(tmpdir(), 'runwright-engine-'))
  cleanups.push(() => rmSync(baseDirectory, { recursive: true, force: true }))
  const driver = new FakeBrowserDriver({ clock, ...options.driver })
  const pool = new SessionPool({ storage, clock, ids, baseDirectory, driver, organizationId: 'acme', ...options.pool })
  await pool.start()
  cleanups.push(() => settle(pool.stop(), clock))
  const host = await startEngine({ sessions: pool, ...options.engine }, world)
  return { ...host, pool, driver }
}

/** Lets fake time pass, a tenth of a second at a time and real turns of the event loop between, until the work has settled. */
export async function settle<T>(work: Promise<T>, clock: FakeClock, limitMs = 4 * 3_600_000): Promise<T> {
  let isSettled = false
  work.then(
    () => (isSettled = true),
    () => (isSettled = true),
  )
  for (let turn = 0; turn < 40 && !isSettled; turn++) await turnOfLoop() // most work needs no time at all
  for (let passedMs = 0; !isSettled; ) {
    if (passedMs > limitMs) throw new Error(`not settled after ${limitMs} ms`)
    const stepMs = Math.min(Math.max(clock.nextTimerInMs ?? 1, 1), 1_000)
    await clock.advance(stepMs)
    await realPause()
    passedMs += stepMs
  }
  return work
}

/** Sessions make real folders: these take real, if little, time. */
const realPause = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)))
const turnOfLoop = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Waits, in turns of the event loop, until something is true. */
export async function until(isTrue: () => boolean | Promise<boolean>, what = 'the condition'): Promise<void> {
  for (const giveUpAt = performance.now() + 5_000; performance.now() < giveUpAt; ) {
    if (await isTrue()) return
    await turnOfLoop()
  }
  throw new Error(`${what} did not come true`)
}

/** A promise with its end in the test's hands. */
export function gate<T = void>() {
  let open!: (value: T) => void
  let refuse!: (reason: unknown) => void
  const passed = new Promise<T>((resolve, reject) => {
    open = resolve
    refuse = reject
  })
  return { open, refuse, passed }
}

/** Handlers that most tests need. */
export const handlers = {
  noop: () => null,
  fail: () => {
    throw new Error('it broke')
  },
}

/** A code block. */
export const code = (label: string, handler = 'noop', more: object = {}) => ({ type: 'code' as const, label, handler, ...more })
/** A conditional's branch on an expression. */
export const when = (expression: string, nextBlockLabel: string | null) => ({
  criteria: { type: 'jinja2_template' as const, expression },
  nextBlockLabel,
})
export const otherwise = (nextBlockLabel: string | null) => ({ isDefault: true, nextBlockLabel })

export const types = (events: readonly { readonly type: string }[]) => events.map(({ type }) => type)

/** Labels in the order in which their attempts began, `label#2` for a second attempt. */
export const begun = (events: readonly AnyEvent[]) =>
  events.flatMap((event) => {
    if (event.type !== 'block.started') return []
    const { label, attempt } = event.payload as { label: string; attempt: number }
    return [attempt === 1 ? label : `${label}#${attempt}`]
  })

/** The rows of a run's blocks, in order of start. */
export const blockRows = (memory: MemoryStorage, workflowRunId = 'wr_1') =>
  memory.find({ table: 'run_blocks', where: { workflowRunId }, orderBy: [{ column: 'sequence' }], limit: 10_000 })

export const runRow = async (memory: MemoryStorage, workflowRunId = 'wr_1') => {
  const row = await memory.get('runs', workflowRunId)
  if (row === undefined) throw new Error(`no run ${workflowRunId}`)
  return row
}

export const streamOf = (memory: MemoryStorage, workflowRunId = 'wr_1') =>
  memory.readEvents({ stream: `run:${workflowRunId}`, limit: 10_000 })

/** The error of a call that must fail. */
export async function failure(
  work: Promise<unknown>,
): Promise<{ code: string; message: string; details: Record<string, unknown>; [key: string]: unknown }> {
  try {
    await work
  } catch (error) {
    return error as never
  }
  throw new Error('it did not fail')
}

/** A storage that keeps what was committed through it, and may be told to behave otherwise. */
export function watchedStorage(inner: Storage) {
  const commits: (readonly Write[])[] = []
  const watched = {
    commits,
    /** Called before each commit; what it throws is the storage's failure. */
    before: undefined as ((batch: readonly Write[]) => void | Promise<void>) | undefined,
  }
  const storage: Storage = Object.assign(Object.create(inner) as Storage, {
    capabilities: inner.capabilities,
    async commit(batch: readonly Write[]) {
      commits.push(batch)
      await watched.before?.(batch)
      return inner.commit(batch)
    },
  })
  for (const name of ['open', 'close', 'now', 'get', 'find', 'count', 'readEvents', 'subscribe'] as const) {
    Object.assign(storage, { [name]: (inner[name] as (...args: never[]) => unknown).bind(inner) })
  }
  return { storage, watched }
}

/** The final events of a stream: there is never more than one. */
export const FINAL_TYPES = ['run.completed', 'run.failed', 'run.terminated', 'run.canceled', 'run.timed_out']
export const finals = (events: readonly { readonly type: string }[]) => events.filter(({ type }) => FINAL_TYPES.includes(type))
