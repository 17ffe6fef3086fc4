import { randomBytes } from 'node:crypto'
import type { BenchContext } from '../lib/area.js'
import { sharedServer } from '../lib/postgres.js'
import { interleave } from '../lib/rates.js'
import { median, medianRatio } from '../lib/statistics.js'
import { Worker } from '../lib/worker.js'
import { type EngineProcess, withEngines } from './cluster.js'
import type { DbosWorker } from './dbos-worker.js'

const CLIENTS = [1, 16] as const

interface Sides {
  readonly ours: EngineProcess
  readonly workflow: string
  readonly dbos: Worker<DbosWorker>
}

/** Runs of three no-op blocks a second, beside workflows of three no-op steps of DBOS, each in a process of its own on the same server. */
export function measureThroughput(context: BenchContext): Promise<Record<string, number>> {
  return withEngines(context, [{ concurrency: Math.max(...CLIENTS) }], async (ours) => {
    const workflow = await ours.call('create', {})
    const url = await sharedServer(context)
    const dbos = new Worker<DbosWorker>(new URL('./dbos-worker.ts', import.meta.url))
    try {
      await dbos.call('open', { url, schema: `bench_dbos_${randomBytes(6).toString('hex')}` })
      const sides = { ours, workflow, dbos }
      await warmUp(context, sides)
      const figures: Record<string, number> = {}
      for (const clients of CLIENTS) Object.assign(figures, await measureClients(context, sides, clients))
      await dbos.call('close', undefined as never)
      return figures
    } finally {
      await dbos.end()
    }
  })
}

/** Every connection of each has planned what it sends again and again, and its code is compiled. */
async function warmUp(context: BenchContext, { ours, workflow, dbos }: Sides): Promise<void> {
  context.progress('runs beside DBOS, warming up')
  const load = { clients: Math.max(...CLIENTS), ms: context.isQuick ? 200 : 6_000 }
  await ours.call('runs', { workflow, ...load })
  await dbos.call('workflows', load)
}

async function measureClients(context: BenchContext, { ours, workflow, dbos }: Sides, clients: number): Promise<Record<string, number>> {
  context.progress(`runs beside DBOS, ${clients} client${clients === 1 ? '' : 's'}`)
  const [rounds, ms] = context.isQuick ? [1, 200] : [8, 1_500]
  const measured = await interleave(rounds, {
    runs: () => ours.call('runs', { workflow, clients, ms }),
    dbos: () => dbos.call('workflows', { clients, ms }),
  })
  context.sample(`runsPerSec${clients}`, measured.runs)
  context.sample(`dbosPerSec${clients}`, measured.dbos)
  return {
    [`runsPerSec${clients}`]: median(measured.runs),
    [`dbosPerSec${clients}`]: median(measured.dbos),
    [`runsOverDbos${clients}`]: medianRatio(measured.runs, measured.dbos),
  }
}
