import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { WorkflowEngine } from 'runwright'
import { type OpenStorage, openStorage } from '../lib/postgres.js'
import { rate } from '../lib/rates.js'
import { serve, sharedNowMs } from '../lib/worker.js'
import { CountingStorage } from './counting-storage.js'
import { Hold } from './hold.js'
import { BLOCKS, CONNECTIONS } from './size.js'

export interface OpenParams {
  readonly url: string
  readonly schema: string
  /** Runs at a time. */
  readonly concurrency: number
  readonly leaseTtlMs?: number
}

interface Open {
  readonly opened: OpenStorage
  readonly storage: CountingStorage
  readonly engine: WorkflowEngine
}

const hold = new Hold()
let open: Open | undefined

function here(): Open {
  if (open === undefined) throw new Error('The worker has no engine yet')
  return open
}

async function runToItsEnd(workflowPermanentId: string): Promise<string> {
  const run = await here().engine.startRun({ workflowPermanentId })
  const { status, failureReason } = await run.result()
  if (status !== 'completed') throw new Error(`A run is ${status}: ${failureReason}`)
  return run.workflowRunId
}

const handlers = {
  async open({ url, schema, concurrency, leaseTtlMs }: OpenParams): Promise<void> {
    const opened = await openStorage({ url, schema, clients: CONNECTIONS - 1 })
    const storage = new CountingStorage(opened.storage)
    const custom = { blocks: [hold.block], handlers: { noOp: () => null } }
    const lease = leaseTtlMs === undefined ? {} : { leaseTtlMs }
    const engine = new WorkflowEngine({ storage, organizationId: 'org_bench', concurrency, ...custom, ...lease })
    await engine.start()
    open = { opened, storage, engine }
  },

  /** A workflow of so many blocks that do nothing, or of one that holds its run; its permanent id. */
  async create({ blocks = BLOCKS, isHeld = false }: { readonly blocks?: number; readonly isHeld?: boolean }): Promise<string> {
    const noOps = Array.from({ length: blocks }, (_, index) => ({ type: 'code' as const, label: `block_${index}`, handler: 'noOp' }))
    const held = [{ type: 'bench_hold', label: 'held' }] as never // the type is the engine's own
    const definition = { blocks: isHeld ? held : noOps }
    return (await here().engine.createWorkflow({ title: 'Runs', definition, onHostLost: 'resume' })).workflowPermanentId
  },

  /** Runs a second, by so many clients that each start one and wait for its result. */
  runs({ workflow, clients, ms }: { readonly workflow: string; readonly clients: number; readonly ms: number }): Promise<number> {
    return rate({ clients, ms, work: () => runToItsEnd(workflow) })
  },

  /** Commits of one run, from the call to its result. */
  async commitsOfRun({ workflow }: { readonly workflow: string }): Promise<number> {
    const before = here().storage.commits
    await runToItsEnd(workflow)
    return here().storage.commits - before
  },

  /** Queues runs, all at once; the id of each, and when it was queued. */
  queue({ workflow, count }: { readonly workflow: string; readonly count: number }) {
    const one = async () => {
      const { workflowRunId: id } = await here().engine.startRun({ workflowPermanentId: workflow })
      return { id, at: sharedNowMs() }
    }
    return Promise.all(Array.from({ length: count }, one))
  },

  /** When the block of the run began here. */
  begun: (id: string): Promise<number> => hold.begun(id),

  /** When the signal of the run's block aborted here. */
  aborted: (id: string): Promise<number> => hold.aborted(id),

  /** Resolves when so many blocks hold their runs here. */
  holding: (count: number): Promise<void> => hold.holding(count),

  /** Cancels a run; when it was asked for. */
  async cancel(id: string): Promise<number> {
    const at = sharedNowMs()
    await here().engine.cancel({ workflowRunId: id })
    return at
  },

  /** The status that the run came to. */
  ended: async (id: string): Promise<string> => (await here().engine.waitForRun({ workflowRunId: id })).status,

  /** How long the next so many renewals of all leases take, once they are of `leases` runs. */
  heartbeats({ leases, count }: { readonly leases: number; readonly count: number }): Promise<readonly number[]> {
    return Promise.race([here().storage.nextRenewals(leases, count), hold.failing()])
  },

  /** What is in use after everything that can be has been collected, in bytes. */
  async memory(): Promise<{ readonly heap: number; readonly rss: number }> {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    for (let turn = 0; turn < 3; turn++) {
      collect()
      await nextTurn()
    }
    const { heapUsed, external, rss } = process.memoryUsage()
    return { heap: heapUsed + external, rss }
  },

  async close(): Promise<void> {
    await open?.engine.destroy()
    await open?.opened.close()
  },
}

export type EngineWorker = typeof handlers

serve(handlers)
