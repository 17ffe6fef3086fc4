import type { BenchContext } from '../lib/area.js'
import { openStorage, sharedServer } from '../lib/postgres.js'
import { rate } from '../lib/rates.js'
import { median } from '../lib/statistics.js'
import { RUN, withFakePool } from './pool.js'

const CLIENTS = 16

/** Pairs of `occupy` and `release` a second on Postgres, by 16 clients at once, each on a session of its own. */
export async function measureOccupy(context: BenchContext): Promise<{ occupyPerSec16: number }> {
  const [rounds, ms] = context.isQuick ? [1, 100] : [6, 1_000]
  context.progress('occupy and release on Postgres, 16 clients')
  const opened = await openStorage({ url: await sharedServer(context), clients: CLIENTS })
  try {
    const rates = await withFakePool({ storage: opened.storage, maxSessions: CLIENTS }, async (pool) => {
      const sessions = await Promise.all(Array.from({ length: CLIENTS }, () => pool.create()))
      const once = async (client: number) => {
        const lease = await pool.occupy({ browserSessionId: sessions[client]?.browserSessionId ?? '', ...RUN })
        await lease.release()
      }
      const measured: number[] = []
      for (let round = 0; round <= rounds; round++) measured.push(await rate({ clients: CLIENTS, ms, work: once }))
      return measured.slice(1) // the first round warms up
    })
    context.sample('occupyPerSec16', rates)
    return { occupyPerSec16: median(rates) }
  } finally {
    await opened.close()
  }
}
