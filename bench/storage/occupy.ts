import type { BenchContext } from '../lib/area.js'
import { openStorage, sharedServer } from '../lib/postgres.js'
import { interleave, rate } from '../lib/rates.js'
import { median, medianRatio } from '../lib/statistics.js'
import { createRawTable, RawPairWorker } from './raw-pair.js'
import { PairWorker } from './session-pair.js'

/** Occupy and release of a session through the storage, beside the same two conditional updates sent by hand. */
export async function measureOccupy(context: BenchContext): Promise<Record<string, number>> {
  const one = await measureClients(context, 1)
  const sixteen = await measureClients(context, 16)
  return { ...one, ...sixteen }
}

async function measureClients(context: BenchContext, clients: number): Promise<Record<string, number>> {
  context.progress(`occupy and release, ${clients} client${clients === 1 ? '' : 's'}`)
  const [rounds, ms] = context.isQuick ? [2, 100] : [12, 500]
  const opened = await openStorage({ url: await sharedServer(context), clients })
  try {
    const sql = await createRawTable(opened)
    const ids = Array.from({ length: clients }, (_, index) => `pbs_${index}`)
    const ours = ids.map((id) => new PairWorker(opened.storage, id))
    const raw = ids.map((id) => new RawPairWorker(opened.pool, sql, id))
    for (const worker of ours) await worker.create()
    await sql.copyRows()
    const { occupyRelease, floor } = await interleave(rounds, {
      occupyRelease: () => rate({ clients, ms, work: (client) => ours[client]?.once() ?? Promise.resolve() }),
      floor: () => rate({ clients, ms, work: (client) => raw[client]?.once() ?? Promise.resolve() }),
    })
    context.sample(`occupyRelease${clients}`, occupyRelease)
    context.sample(`raw${clients}`, floor)
    return {
      [`occupyRelease${clients}`]: median(occupyRelease),
      [`raw${clients}`]: median(floor),
      [`ratio${clients}`]: medianRatio(occupyRelease, floor),
    }
  } finally {
    await opened.close()
  }
}
