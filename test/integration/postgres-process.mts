// One of several processes that work on the same database; its argument is JSON, its last line of output too.

import { PostgresStorage } from '../../src/postgres/index.js'
import { guardStorage, increment, type Write } from '../../src/storage/index.js'
import { anEvent, insertBlock, insertRun } from '../../src/testing/storage-contract/samples.js'

interface Task {
  readonly job: 'open' | 'race' | 'handover' | 'lock'
  readonly name: number
  readonly schema?: string
  readonly connectionString?: string
  readonly directory?: string
  readonly startAtMs: number
}

const task = JSON.parse(process.argv[2] ?? '') as Task
const { job, name, connectionString, directory, schema = 'runwright' } = task
const storage = guardStorage(new PostgresStorage({ ...(directory === undefined ? { connectionString } : { pglite: directory }), schema }))
await new Promise((resolve) => setTimeout(resolve, task.startAtMs - Date.now()))

const jobs: Record<Task['job'], () => Promise<unknown>> = {
  open: async () => (await storage.get('runs', 'none')) === undefined,

  /** 16 writers for 8 rows: which ones were won. */
  async race() {
    const wins: string[] = []
    const write = async (writer: number) => {
      for (let row = 0; row < 8; row++) {
        const id = `wr_${row}`
        const holder = `${name}_${writer}`
        const take: Write = {
          op: 'update',
          table: 'runs',
          id,
          where: { leaseHolder: null },
          set: { leaseHolder: holder, leaseFence: increment() },
        }
        const result = await storage.commit([take, { op: 'append', stream: `run:${id}`, events: [anEvent(`won_${holder}`)] }])
        if (result.ok) wins.push(id)
      }
    }
    await Promise.all(Array.from({ length: 16 }, (_, writer) => write(writer)))
    return wins
  },

  /** Takes leases over from each other by fence, each time with a larger batch: how often it won. */
  async handover() {
    let won = 0
    for (let n = 0; n < 150; n++) {
      const row = n % 3
      const run = await storage.get('runs', `wr_${row}`)
      const fence = run?.leaseFence ?? 0
      const result = await storage.commit([
        insertBlock(`rb_${name}_${n}`),
        { op: 'update', table: 'runs', id: 'total', set: { stepCount: increment() } },
        {
          op: 'update',
          table: 'runs',
          id: `wr_${row}`,
          where: { leaseFence: fence },
          set: { leaseFence: increment(), attempt: increment() },
        },
        { op: 'append', stream: 'handovers', events: [anEvent(`${name}_${n}`)] },
        { op: 'append', stream: `run:wr_${row}`, events: [anEvent(`${name}_${n}`)] },
      ])
      if (result.ok) won++
    }
    return won
  },

  lock: async () => (await storage.commit([insertRun('wr_1'), { op: 'append', stream: 's', events: [anEvent('e1')] }])).ok,
}

try {
  await storage.open()
  const result = await jobs[job]()
  if (job === 'lock') {
    process.stdout.write(`${JSON.stringify({ result })}\n`)
    await new Promise((resolve) => process.stdin.once('data', resolve).once('end', resolve))
  }
  await storage.close()
  if (job !== 'lock') process.stdout.write(`${JSON.stringify({ result })}\n`)
} catch (error) {
  const { code, message, details } = error as { code?: string; message: string; details?: unknown }
  process.stdout.write(`${JSON.stringify({ error: { code, message, details } })}\n`)
}
process.exit(0)
