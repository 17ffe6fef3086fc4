import { randomBytes } from 'node:crypto'
import type { BenchContext } from '../lib/area.js'
import { sharedServer, withPool } from '../lib/postgres.js'
import { Worker } from '../lib/worker.js'
import type { EngineWorker } from './engine-worker.js'

export type EngineProcess = Worker<EngineWorker>

export interface Engine {
  readonly concurrency: number
  readonly leaseTtlMs?: number
}

/** Starts processes with an engine each, on one schema of the server, and ends them after the work; those that were killed meanwhile are left out. */
export async function withEngines<T>(
  context: BenchContext,
  engines: readonly Engine[],
  work: (...processes: EngineProcess[]) => Promise<T>,
): Promise<T> {
  const url = await sharedServer(context)
  const schema = `bench_${randomBytes(6).toString('hex')}`
  const processes: EngineProcess[] = []
  try {
    for (const engine of engines) processes.push(await startEngine(url, schema, engine))
    return await work(...processes)
  } finally {
    await Promise.all(processes.map(endEngine))
    await withPool(url, (pool) => pool.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`))
  }
}

async function startEngine(url: string, schema: string, engine: Engine): Promise<EngineProcess> {
  const process = new Worker<EngineWorker>(new URL('./engine-worker.ts', import.meta.url))
  try {
    await process.call('open', { url, schema, ...engine })
    return process
  } catch (error) {
    await process.end()
    throw error
  }
}

async function endEngine(process: EngineProcess): Promise<void> {
  if (process.isAlive) await process.call('close', undefined as never).catch(() => {}) // what it held is dropped with the schema
  await process.end()
}
