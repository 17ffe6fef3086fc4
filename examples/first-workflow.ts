import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { defineWorkflow, MemoryStorage, SessionPool, WorkflowEngine } from 'runwright'
import { PlaywrightDriver } from 'runwright/playwright'

// a page to work on; yours will be somewhere else
const page = `<title>Prices</title><ul><li data-id="tea">Tea <b>3,20 €</b></li><li data-id="coffee">Coffee <b>4,50 €</b></li></ul>`
const server = createServer((_, response) => response.setHeader('content-type', 'text/html; charset=utf-8').end(page))
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`

const prices = defineWorkflow({
  parameters: [
    { kind: 'workflow', key: 'url', type: 'string' },
    { kind: 'workflow', key: 'budget', type: 'float', default: 4 },
  ],
  blocks: [
    {
      type: 'extraction',
      label: 'menu',
      url: '{{ url }}',
      selectors: { items: { css: 'li', each: { id: { xpath: '.', attr: 'data-id' }, price: { css: 'b', type: 'number' } } } },
    },
    { type: 'code', label: 'pick', handler: 'affordable', parameterKeys: ['budget'] },
  ],
})

const storage = new MemoryStorage()
const sessions = new SessionPool({ storage, driver: new PlaywrightDriver(), organizationId: 'acme' })
const engine = new WorkflowEngine({
  storage,
  sessions,
  organizationId: 'acme',
  handlers: {
    affordable: ({ parameters, outputs }) => {
      const { items } = outputs.menu as { items: { id: string; price: number }[] }
      return items.filter(({ price }) => price <= Number(parameters.budget)).map(({ id }) => id)
    },
  },
})
engine.on('block.completed', ({ label, durationMs }) => console.log(`${label} took ${durationMs} ms`))

await engine.start()
const { workflowPermanentId } = await engine.createWorkflow({ title: 'Prices', definition: prices })
const run = await engine.startRun({ workflowPermanentId, parameters: { url } })
const { status, failureReason, outputs } = await run.result()
console.log(status, failureReason ?? outputs.pick_output) // completed [ 'tea' ]

await engine.stop()
server.close()
