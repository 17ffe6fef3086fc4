import { expect } from 'vitest'
import type { SessionPool } from '../../../src/sessions/index.js'
import type { MemoryStorage, RunBlockRow, Storage } from '../../../src/storage/index.js'
import { type FaultyStorage, faultyStorage } from '../../../src/testing/index.js'
import { blockRows, createWorld, FINAL_TYPES, finals, runRow, startEngine, startHost, streamOf, types, type World } from './kit.js'

/** Lease of runs and of sessions, in milliseconds: a short one, as fake time is passed in small steps. */
export const TTL_MS = 2_000

/** A storage that says that others use it, too. */
export function shared(inner: Storage): Storage {
  const storage: Storage = Object.assign(Object.create(inner) as Storage, {
    capabilities: { durable: true, shared: true, notify: false },
  })
  for (const name of ['open', 'close', 'now', 'get', 'find', 'count', 'readEvents', 'commit', 'subscribe'] as const) {
    Object.assign(storage, { [name]: (inner[name] as (...args: never[]) => unknown).bind(inner) })
  }
  return storage
}

type EngineOptions = NonNullable<Parameters<typeof startEngine>[0]>

/** A world of several hosts: `one` can be made to lose its storage; `other` shares what it left. */
export async function twoHosts(options: { pool?: 'own' | 'common' | 'none'; engine?: EngineOptions } = {}) {
  let faulty!: FaultyStorage
  const world = createWorld((memory) => {
    faulty = faultyStorage(shared(memory))
    return faulty
  })
  const healthy: World = { ...world, storage: shared(world.memory) }
  const engine = { ...options.engine, leaseTtlMs: TTL_MS }
  const driver = { site: { 'https://a.test/': { title: 'A', elements: [{ css: '#go' }] } } }
  const pool = { leaseTtlMs: TTL_MS, hostId: 'one' }
  const place = options.pool ?? 'none'
  const sessions =
    place === 'common' ? await startHost({ world: healthy, driver, pool, engine: { ...engine, hostId: 'bystander' } }) : undefined
  await sessions?.engine.stop()
  const one =
    place === 'own'
      ? await startHost({ world, driver, pool, engine: { ...engine, hostId: 'one' } })
      : await startEngine({ ...engine, hostId: 'one', ...(sessions === undefined ? {} : { sessions: sessions.pool }) }, world)
  const startOther = async () =>
    place === 'own'
      ? startHost({ world: healthy, driver, pool: { ...pool, hostId: 'two' }, engine: { ...engine, hostId: 'two' } })
      : startEngine({ ...engine, hostId: 'two', ...(sessions === undefined ? {} : { sessions: sessions.pool }) }, healthy)
  /** The host dies: its storage is gone for good, and nobody hears of it any more. */
  const die = () => faulty.reset({ failAtCall: 1, fails: 'onwards' })
  return { ...world, one, startOther, faulty, die, pool: sessions?.pool as SessionPool | undefined }
}

const keyOf = ({ parentRunBlockId, currentIndex, label }: RunBlockRow) => `${parentRunBlockId}/${currentIndex}/${label}`

/** What holds of every run that has ended, whatever happened to its hosts. */
export async function expectSound(memory: MemoryStorage, place: string, workflowRunId = 'wr_1') {
  const run = await runRow(memory, workflowRunId)
  const events = await streamOf(memory, workflowRunId)
  const rows = await blockRows(memory, workflowRunId)
  const at = (what: string, value: unknown) => [place, what, value]
  expect(at('final', FINAL_TYPES.includes(`run.${run.status}`))).toEqual(at('final', true))
  expect(at('finals', types(finals(events)))).toEqual(at('finals', [`run.${run.status}`]))
  expect(at('last', events.at(-1)?.type)).toEqual(at('last', `run.${run.status}`))
  expect(
    at(
      'seq',
      events.map(({ seq }) => seq),
    ),
  ).toEqual(
    at(
      'seq',
      events.map((_, index) => index + 1),
    ),
  )
  expect(
    at(
      'open',
      rows.filter(({ status }) => status === 'running'),
    ),
  ).toEqual(at('open', []))
  const done = rows.filter(({ status }) => status === 'completed').map(keyOf)
  expect(at('twice', done.length - new Set(done).size)).toEqual(at('twice', 0))
  expect(at('lanes', await memory.count('leases'))).toEqual(at('lanes', 0))
  const held = await memory.find({ table: 'browser_sessions', where: { leaseToken: { isNull: false } } })
  expect(at('sessions', held)).toEqual(at('sessions', []))
  expect(at('lease', [run.leaseHolder, run.leaseExpiresAt, run.pause, run.pauseDecision])).toEqual(at('lease', [null, null, null, null]))
  return { run, events, rows }
}
