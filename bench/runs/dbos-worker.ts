import { DBOS } from '@dbos-inc/dbos-sdk'
import { newPool, withPool } from '../lib/postgres.js'
import { rate } from '../lib/rates.js'
import { serve } from '../lib/worker.js'
import { BLOCKS, CONNECTIONS } from './size.js'

const silent = { info() {}, debug() {}, warn() {}, error() {} }
const steps = Array.from({ length: BLOCKS }, (_, index) => ({ name: `step_${index}` }))
const noOp = async () => null

const workflow = DBOS.registerWorkflow(
  async () => {
    for (const step of steps) await DBOS.runStep(noOp, step)
  },
  { name: 'steps' },
)

let end = async () => {}

const handlers = {
  /** Ready to run workflows, with all tables in a schema of its own. */
  async open({ url, schema }: { readonly url: string; readonly schema: string }): Promise<void> {
    const pool = newPool(url, CONNECTIONS)
    DBOS.setConfig({
      name: 'bench',
      systemDatabaseUrl: url,
      systemDatabasePool: pool,
      systemDatabaseSchemaName: schema,
      enableOTLP: false,
      tracingEnabled: false,
      logger: silent,
    })
    await DBOS.launch()
    end = async () => {
      await DBOS.shutdown()
      await pool.end()
      await withPool(url, (plain) => plain.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`))
    }
  },

  /** Workflows a second, by so many clients that each start one and wait for its result. */
  workflows({ clients, ms }: { readonly clients: number; readonly ms: number }): Promise<number> {
    return rate({ clients, ms, work: async () => (await DBOS.startWorkflow(workflow)()).getResult() })
  },

  close: (): Promise<void> => end(),
}

export type DbosWorker = typeof handlers

serve(handlers)
