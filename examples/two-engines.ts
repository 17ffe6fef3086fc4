import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineWorkflow, WorkflowEngine } from 'runwright'
import { PostgresStorage } from 'runwright/postgres'
import { startPostgres } from '../test/support/postgres-server.js' // for the time of this example; a service has its own

const ORDERS = 4
const definition = defineWorkflow({
  blocks: [
    { type: 'code', label: 'picked', handler: 'work' },
    { type: 'code', label: 'packed', handler: 'work' },
    { type: 'code', label: 'sent', handler: 'work' },
  ],
})

/** What a host tells of itself. */
type Told =
  | { readonly what: 'ready' }
  | { readonly what: 'started' | 'recovered'; readonly run: string }
  | { readonly what: 'done'; readonly run: string; readonly label: string }
  | { readonly what: 'ended'; readonly run: string; readonly status: string; readonly outputs: Readonly<Record<string, unknown>> }

/** A process that runs the library. All that it has in common with the other one is the storage. */
async function beHost(name: string, connectionString: string) {
  const tell = (told: Told) => process.send?.(told)
  const storage = new PostgresStorage({ connectionString })
  const work = async ({ signal }: { signal: AbortSignal }) => {
    await sleep(800, undefined, { signal })
    return name
  }
  const engine = new WorkflowEngine({
    storage,
    handlers: { work },
    hostId: name,
    organizationId: 'acme',
    concurrency: 2, // the other two orders are for the other host
    leaseTtlMs: 2_000, // so that this example is short: by default it is 30 s
  })
  engine.on('run.started', ({ workflowRunId: run }) => tell({ what: 'started', run }))
  engine.on('run.recovered', ({ workflowRunId: run }) => tell({ what: 'recovered', run }))
  engine.on('block.completed', ({ workflowRunId: run, label }) => tell({ what: 'done', run, label }))
  engine.on('run.completed', ({ workflowRunId: run, status, outputs }) => tell({ what: 'ended', run, status, outputs }))
  await engine.start()

  process.on('message', async (message) => {
    if (message === 'stop') return process.disconnect()
    const { workflowPermanentId } = await engine.createWorkflow({ title: 'Order', definition, onHostLost: 'resume' })
    for (let order = 1; order <= ORDERS; order++) await engine.startRun({ workflowPermanentId })
  })
  process.on('disconnect', async () => {
    await engine.stop()
    await storage.close()
  })
  tell({ what: 'ready' })
}

async function watchTwoHosts() {
  const server = await startPostgres()
  const orders = new Map<string, string>()
  const order = (run: string) => orders.get(run) ?? orders.set(run, `order ${orders.size + 1}`).get(run)
  const results: string[] = []
  const open = (name: string) => {
    const host = fork(new URL(import.meta.url), [name, server.connectionString], { execArgv: ['--import', 'tsx'] })
    const ready = once(host, 'message')
    const gone = once(host, 'exit')
    host.on('message', (told: Told) => {
      if (told.what === 'started') console.log(`${name} begins ${order(told.run)}`)
      if (told.what === 'recovered') console.log(`${name} takes ${order(told.run)} over, and goes on where it stood`)
      if (told.what === 'done') console.log(`${name} has ${told.label} ${order(told.run)}`)
      if (told.what !== 'ended') return
      const { picked_output, packed_output, sent_output } = told.outputs
      results.push(`${order(told.run)}: ${told.status}, picked by ${picked_output}, packed by ${packed_output}, sent by ${sent_output}`)
    })
    return { host, ready, gone }
  }
  const [a, b] = [open('A'), open('B')]
  await Promise.all([a.ready, b.ready])

  a.host.send('take orders')
  await new Promise<void>((resolve) => a.host.on('message', ({ what }: Told) => (what === 'done' ? resolve() : undefined)))
  await sleep(300) // in the middle of packing
  a.host.kill('SIGKILL')
  await a.gone
  console.log('A is killed')

  while (results.length < ORDERS) await once(b.host, 'message')
  b.host.send('stop')
  await b.gone
  for (const result of results.sort()) console.log(result)
  await server.stop()
}

const [name, connectionString = ''] = process.argv.slice(2)
await (name === undefined ? watchTwoHosts() : beHost(name, connectionString))
