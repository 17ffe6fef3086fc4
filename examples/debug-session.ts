import { DebugSessions, defineWorkflow, MemoryCredentialProvider, MemoryStorage, SessionPool, WorkflowEngine } from 'runwright'
import { PlaywrightDriver } from 'runwright/playwright'
import { EXAMPLE_USER, startExampleSite } from './site/server.js'

/** A workflow as its author has it so far; the last block is being worked on. */
const draft = (selector: string) =>
  defineWorkflow({
    parameters: [
      { kind: 'workflow', key: 'site', type: 'string' },
      { kind: 'secret', key: 'account', provider: 'memory', name: 'invoice-site' },
    ],
    blocks: [
      {
        type: 'navigation',
        label: 'sign_in',
        url: '{{ site }}/sign-in',
        steps: [
          { type: 'input_text', target: { label: 'User name' }, value: '{{ account.username }}' },
          { type: 'input_text', target: { label: 'Password' }, value: '{{ account.password }}' },
          { action: { type: 'click', target: { css: '#sign-in' } }, assert: { text: 'Signed in as' } },
        ],
      },
      { type: 'extraction', label: 'totals', selectors: { open: { testId: 'open-total' }, who: { testId: 'username' } } },
      { type: 'goto_url', label: 'form', url: '{{ site }}/export' },
      {
        type: 'action',
        label: 'fill',
        steps: [
          { type: 'input_text', target: { css: selector }, value: '{{ totals_output.who }}: {{ totals_output.open }}', timeoutMs: 1_000 },
        ],
      },
      { type: 'extraction', label: 'check', selectors: { name: { css: '#name' } } },
    ],
  })

const site = await startExampleSite()
const storage = new MemoryStorage()
const sessions = new SessionPool({ storage, driver: new PlaywrightDriver(), organizationId: 'acme' })
const credentials = { memory: new MemoryCredentialProvider({ 'invoice-site': EXAMPLE_USER }) }
const engine = new WorkflowEngine({ storage, sessions, credentials, organizationId: 'acme' })
await engine.start()
const debug = new DebugSessions({ storage, engine, sessions, organizationId: 'acme' })

const { workflowPermanentId, version } = await engine.createWorkflow({ title: 'Export', definition: draft('#title') })
const place = { userId: 'ada', workflowPermanentId }
const { debugSessionId } = await debug.getOrCreate(place) // ask again whenever you come back: it is the same one

async function runBlock(label: string) {
  const run = await debug.runBlocks({ debugSessionId, labels: [label], parameters: { site: site.origin } })
  const { status, failureReason, outputs } = await run.result()
  const output = label === 'totals' || label === 'check' ? JSON.stringify(outputs[`${label}_output`]) : ''
  console.log(`${label}: ${status}`, failureReason ?? output)
}

await runBlock('sign_in')
await runBlock('totals')
await runBlock('form')
await runBlock('fill') // the form has no such field
await engine.updateWorkflow({ workflowPermanentId, definition: draft('#name'), expectedVersion: version })
await runBlock('fill') // alone, on the page that is open, with the output of `totals`
await runBlock('check') // what was typed is still there

console.log('Kept outputs:', Object.keys(await debug.blockOutputs(place)).join(', '))
for (const { blockLabel, status } of await debug.runs(debugSessionId)) console.log(`  ${blockLabel.padEnd(8)} ${status}`)

await debug.complete({ debugSessionId })
await engine.stop()
await site.close()
