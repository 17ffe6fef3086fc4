import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { defineWorkflow, MemoryCredentialProvider, MemoryStorage, verifyWebhook, WebhookVerificationError, WorkflowEngine } from 'runwright'

const SECRET = 'both sides have it, and nobody else'

// the receiver, as a service of yours would have it; this one is busy at first
const seen = new Set<string>()
let isBusy = true

async function receive(request: IncomingMessage): Promise<number> {
  const body = await buffer(request) // the bytes as they came: what is parsed and written again has another signature
  if (isBusy) {
    isBusy = false
    console.log('Receiver: busy, come back later')
    return 503
  }
  try {
    const { result } = verifyWebhook({ headers: request.headers, body, secret: SECRET })
    if (seen.has(result.workflowRunId)) return 200 // a repetition: it was dealt with
    seen.add(result.workflowRunId)
    console.log(`Receiver: ${result.workflowTitle} ${result.status}, total ${result.outputs.sum_output}`)
    return 200
  } catch (error) {
    if (!(error instanceof WebhookVerificationError)) throw error
    console.log(`Receiver: refused, ${error.details.reason}`)
    return 400
  }
}

const server = createServer(async (request, response) => response.writeHead(await receive(request)).end())
await once(server.listen(0, '127.0.0.1'), 'listening')
const webhookCallbackUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/runs`

// the engine
const engine = new WorkflowEngine({
  storage: new MemoryStorage(),
  organizationId: 'acme',
  handlers: { sum: ({ parameters }) => (parameters.amounts as number[]).reduce((total, amount) => total + amount, 0) },
  credentials: { memory: new MemoryCredentialProvider({ webhooks: SECRET }) },
  webhooks: {
    secret: { provider: 'memory', name: 'webhooks' },
    allowPrivateAddresses: true, // the receiver is on this machine; yours will not be
  },
})
engine.on('webhook.failed', ({ attempt, reason }) => console.log(`Engine: attempt ${attempt} failed, ${reason}`))
const delivered = new Promise<void>((resolve) => {
  engine.on('webhook.delivered', ({ attempt }) => {
    console.log(`Engine: attempt ${attempt} was taken`)
    resolve()
  })
})
await engine.start()

const definition = defineWorkflow({
  parameters: [{ kind: 'workflow', key: 'amounts', type: 'json' }],
  blocks: [{ type: 'code', label: 'sum', handler: 'sum' }],
})
const { workflowPermanentId } = await engine.createWorkflow({ title: 'Invoices', definition, webhookCallbackUrl })
const run = await engine.startRun({ workflowPermanentId, parameters: { amounts: [12, 30] } })
await run.result()
await delivered

// somebody who does not have the secret
const headers = { 'x-runwright-delivery': 'whd_1', 'x-runwright-timestamp': String(Math.floor(Date.now() / 1_000)) }
const forged = { ...headers, 'x-runwright-signature': '0'.repeat(64) }
await fetch(webhookCallbackUrl, { method: 'POST', headers: forged, body: '{"workflowRunId":"wr_1","status":"completed"}' })

const { webhookStatus } = await engine.getRun({ workflowRunId: run.workflowRunId })
console.log(`The run's webhook: ${webhookStatus}`)
await engine.stop()
server.closeAllConnections()
server.close()
