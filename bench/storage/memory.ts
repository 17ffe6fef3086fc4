import { guardStorage, MemoryStorage } from 'runwright'
import type { BenchContext } from '../lib/area.js'
import { rate } from '../lib/rates.js'
import { PairWorker } from './session-pair.js'

const COMMITS_A_PAIR = 2

/** Commits a second of a memory storage: a conditional update with its event, one after another. */
export async function measureMemory(context: BenchContext): Promise<{ memoryCommitsPerSec: number }> {
  context.progress('memory commits')
  const ms = context.isQuick ? 100 : 1_000
  const commits = async () => {
    const storage = guardStorage(new MemoryStorage())
    await storage.open()
    const workers = Array.from({ length: 16 }, (_, index) => new PairWorker(storage, `pbs_${index}`))
    for (const worker of workers) await worker.create()
    let turn = 0
    const pairs = await rate({ clients: 1, ms, work: () => workers[turn++ % workers.length]?.once() ?? Promise.resolve() })
    await storage.close()
    return pairs * COMMITS_A_PAIR
  }
  await commits() // warms up
  const memoryCommitsPerSec = await commits()
  return { memoryCommitsPerSec }
}
