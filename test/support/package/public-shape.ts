/** A host as the README describes it: every call that the first page of the documentation shows has to type-check as written. */
export const publicShape = `
import { defineWorkflow, MemoryStorage, type RunResult, SessionPool, StreamingSupervisor, WorkflowEngine } from 'runwright'
import { createHttpHandler, toNodeListener, viewerUrl } from 'runwright/http'
import { PlaywrightDriver } from 'runwright/playwright'
import { FakeBrowserDriver, FakeClock } from 'runwright/testing'

const storage = new MemoryStorage()
const streaming = new StreamingSupervisor({ storage })
const sessions = new SessionPool({ storage, streaming, driver: new PlaywrightDriver() })
const engine = new WorkflowEngine({ storage, sessions, organizationId: 'acme' })
await engine.start()

const definition = defineWorkflow({
  parameters: [{ kind: 'workflow', key: 'site', type: 'string' }],
  blocks: [{ type: 'goto_url', label: 'open', url: '{{ site }}' }],
})
const stopListening = engine.on('run.completed', ({ workflowRunId, outputs }, event) => {
  const id: string = workflowRunId
  const seq: number = event.seq
  return [id, seq, outputs]
})
const workflow = await engine.createWorkflow({ title: 'Invoices', definition })
const session = await sessions.create({ organizationId: 'acme', timeoutMinutes: 60 })
const run = await engine.startRun({
  workflowPermanentId: workflow.workflowPermanentId,
  parameters: { site: 'https://example.com' },
  browserSessionId: session.browserSessionId,
})
for await (const event of run.events()) {
  if (event.type === 'block.failed') console.log(event.payload.label, event.payload.errorCode)
}
const result: RunResult = await run.result()
const view = await streaming.issueToken({ organizationId: 'acme', browserSessionId: session.browserSessionId, scope: 'view' })
const link: string = viewerUrl({ origin: 'https://example.com', browserSessionId: session.browserSessionId, token: view.token })
const listener = toNodeListener(createHttpHandler({ streaming }))

stopListening()
await engine.stop()
console.log(result.status, link, listener)

const tested = new SessionPool({ storage, driver: new FakeBrowserDriver(), clock: new FakeClock() })
// @ts-expect-error an event that does not exist
tested.on('session.exploded', () => {})
`
