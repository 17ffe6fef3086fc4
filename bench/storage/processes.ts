import { Worker } from '../lib/worker.js'
import type { StorageWorker } from './worker.js'

export type StorageProcess = Worker<StorageWorker>

/** Starts processes that have the same schema open, and ends them after the work. */
export async function withProcesses<T>(
  params: { readonly count: number; readonly url: string; readonly schema: string; readonly clients: number },
  work: (processes: readonly StorageProcess[]) => Promise<T>,
): Promise<T> {
  const processes = Array.from({ length: params.count }, () => new Worker<StorageWorker>(new URL('./worker.ts', import.meta.url)))
  try {
    await Promise.all(processes.map((process) => process.call('open', params)))
    const result = await work(processes)
    await Promise.all(processes.map((process) => process.call('close', undefined as never)))
    return result
  } finally {
    await Promise.all(processes.map((process) => process.end()))
  }
}
