// One of several hosts that share runs on one Postgres. Argument: one JSON object. Does what it is told, a line at a time, and tells what happens.
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { type CodeHandler, WorkflowEngine } from '../../src/index.js'
import { PostgresStorage } from '../../src/postgres/index.js'

const { connectionString, schema, hostId, concurrency } = JSON.parse(process.argv[2] ?? '{}')
const storage = new PostgresStorage({ connectionString, schema })
/** By the clock of the machine, which all hosts share. */
const nowMs = () => performance.timeOrigin + performance.now()
const tell = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)
const handlers: Record<string, CodeHandler> = {
  work: async ({ parameters }) => {
    const fromMs = nowMs()
    await sleep(Math.random() * 8)
    tell({ worked: parameters.lane, number: parameters.number, fromMs, toMs: nowMs() })
    return null
  },
  hang: ({ parameters, signal }) => {
    tell({ hangs: parameters.number, atMs: nowMs() })
    return new Promise((_, reject) => {
      const onAbort = () => {
        tell({ aborted: parameters.number, atMs: nowMs() })
        reject(signal.reason)
      }
      signal.addEventListener('abort', onAbort, { once: true })
    })
  },
}
const engine = new WorkflowEngine({ storage, organizationId: 'acme', hostId, concurrency, handlers })
await engine.start()
tell({ ready: true })

const commands = {
  create: async (workflow: Parameters<typeof engine.createWorkflow>[0]) => ({
    created: (await engine.createWorkflow(workflow)).workflowPermanentId,
  }),
  start: async (params: Parameters<typeof engine.startRun>[0]) => {
    const fromMs = nowMs()
    const { workflowRunId } = await engine.startRun(params)
    return { started: workflowRunId, fromMs, atMs: nowMs() }
  },
  cancel: async (workflowRunId: string) => {
    const atMs = nowMs()
    await engine.cancel({ workflowRunId })
    return { canceled: workflowRunId, atMs }
  },
}
for await (const line of createInterface(process.stdin)) {
  const [name, argument] = JSON.parse(line) as [keyof typeof commands, never]
  tell(await commands[name](argument))
}
await engine.stop({ graceful: false })
await storage.close()
process.exit(0)
