// A host of its own: starts a run on a shared Postgres, prints its id, and executes it. Arguments: one JSON object.
import { setTimeout as sleep } from 'node:timers/promises'
import { WorkflowEngine } from '../../src/index.js'
import { PostgresStorage } from '../../src/postgres/index.js'

const { connectionString, schema, values, pauseMs, leaseTtlMs } = JSON.parse(process.argv[2] ?? '{}')
const storage = new PostgresStorage({ connectionString, schema })
const handlers = { step: () => sleep(pauseMs) }
const engine = new WorkflowEngine({ storage, organizationId: 'acme', hostId: 'child', handlers, leaseTtlMs })
await engine.start()
const { workflowPermanentId } = await engine.createWorkflow({
  title: 'Many steps',
  definition: {
    parameters: [{ kind: 'workflow', key: 'values', type: 'json' }],
    blocks: [
      { type: 'for_loop', label: 'loop', loopOverParameterKey: 'values', loopBlocks: [{ type: 'code', label: 'step', handler: 'step' }] },
    ],
  },
})
const run = await engine.startRun({ workflowPermanentId, parameters: { values: Array.from({ length: values }, (_, index) => index) } })
process.stdout.write(`${run.workflowRunId}\n`)
await run.result()
await engine.stop()
await storage.close()
