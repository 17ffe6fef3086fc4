// A host that executes one run on a shared Postgres and kills itself at a commit. Argument: one JSON object. Prints how many commits it made.
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { SessionPool, type Storage, WorkflowEngine } from '../../src/index.js'
import { PostgresStorage } from '../../src/postgres/index.js'
import { FakeBrowserDriver } from '../../src/testing/index.js'
import { drillOptions, drillWorkflow, type KillPoint } from './run-drill.js'

interface Task {
  readonly connectionString: string
  readonly schema: string
  readonly hostId: string
  readonly webhookUrl: string
  readonly onHostLost: 'fail' | 'resume'
  readonly kill: KillPoint | null
}
const task: Task = JSON.parse(process.argv[2] ?? '{}')
const { connectionString, schema, hostId } = task
const effects = new pg.Client({ connectionString })
await effects.connect()
const inner = new PostgresStorage({ connectionString, schema })
let isArmed = false
let commits = 0
const die = () => process.kill(process.pid, 'SIGKILL')

/** Counts commits, and dies before or after the one that was named. */
const storage = new Proxy(inner, {
  get(target, name) {
    const value = Reflect.get(target, name, target)
    if (name !== 'commit') return typeof value === 'function' ? value.bind(target) : value
    return async (...args: Parameters<Storage['commit']>) => {
      const number = isArmed ? ++commits : 0
      const isHere = number !== 0 && number === task.kill?.commit
      if (isHere && task.kill?.when === 'before') die()
      const result = await target.commit(...args)
      if (isHere) die()
      return result
    }
  },
}) as unknown as Storage

const sessions = new SessionPool({ storage, driver: new FakeBrowserDriver(), hostId: `${hostId}_pool`, ...drillOptions.pool })
const engine = new WorkflowEngine({ storage, sessions, hostId, ...drillOptions.engine(effects, schema, hostId) })
await engine.start()
const { workflowPermanentId } = await engine.createWorkflow({
  ...drillWorkflow,
  onHostLost: task.onHostLost,
  webhookCallbackUrl: task.webhookUrl,
})
isArmed = true
const run = await engine.startRun({ workflowPermanentId })
await run.result()
await sleep(300) // the webhook is on its way
process.stdout.write(`${commits}\n`)
await engine.stop()
await inner.close()
await effects.end()
process.exit(0)
