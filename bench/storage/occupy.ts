import type { BenchContext, Measured } from '../lib/area.js'
import { type OpenStorage, openStorage, sharedServer } from '../lib/postgres.js'
import { interleave, rate } from '../lib/rates.js'
import { median, medianRatio } from '../lib/statistics.js'
import { createRawTable, RawPairWorker } from './raw-pair.js'
import { PairWorker } from './session-pair.js'

/** Occupy and release of a session through the storage, beside the same two conditional updates sent by hand. */
export async function measureOccupy(context: BenchContext): Promise<Required<Measured>> {
  const one = await measureClients(context, 1)
  const sixteen = await measureClients(context, 16)
  return { figures: { ...one.figures, ...sixteen.figures }, details: { ...one.details, ...sixteen.details } }
}

async function measureClients(context: BenchContext, clients: number): Promise<Required<Measured>> {
  context.progress(`occupy and release, ${clients} client${clients === 1 ? '' : 's'}`)
  const [rounds, ms] = context.isQuick ? [2, 100] : [12, 500]
  const opened = await openStorage({ url: await sharedServer(context), clients })
  try {
    const ids = Array.from({ length: clients }, (_, index) => `pbs_${index}`)
    const ours = ids.map((id) => new PairWorker(opened.storage, id))
    for (const worker of ours) await worker.create()
    const raw = await rawWorkers(opened, ids, false)
    const prepared = await rawWorkers(opened, ids, true)
    const pairs = (workers: readonly { once(): Promise<void> }[]) => () =>
      rate({ clients, ms, work: (client) => workers[client]?.once() ?? Promise.resolve() })
    const measured = await interleave(rounds, { occupyRelease: pairs(ours), raw: pairs(raw), prepared: pairs(prepared) })
    for (const [name, rates] of Object.entries(measured)) context.sample(`${name}${clients}`, rates)
    return {
      figures: {
        [`occupyRelease${clients}`]: median(measured.occupyRelease),
        [`raw${clients}`]: median(measured.raw),
        [`ratio${clients}`]: medianRatio(measured.occupyRelease, measured.raw),
      },
      details: {
        [`rawPrepared${clients}`]: median(measured.prepared),
        [`ratioPrepared${clients}`]: medianRatio(measured.occupyRelease, measured.prepared),
      },
    }
  } finally {
    await opened.close()
  }
}

/** Each kind has a table of its own, filled with the rows that the storage has. */
async function rawWorkers(opened: OpenStorage, ids: readonly string[], isPrepared: boolean): Promise<readonly RawPairWorker[]> {
  const sql = await createRawTable(opened, isPrepared ? 'raw_prepared' : 'raw_plain')
  await sql.copyRows()
  return ids.map((browserSessionId) => new RawPairWorker({ pool: opened.pool, sql, browserSessionId, isPrepared }))
}
