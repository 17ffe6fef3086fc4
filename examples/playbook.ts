import { defineWorkflow, MemoryCredentialProvider, MemoryStorage, type PlaybookInput, SessionPool, WorkflowEngine } from 'runwright'
import { PlaywrightDriver } from 'runwright/playwright'
import { EXAMPLE_USER, startExampleSite } from './site/server.js'

// two lists of steps that workflows call by name, each with parameters of its own
const signIn: PlaybookInput = {
  name: 'sign_in',
  parameters: [
    { kind: 'workflow', key: 'user', type: 'string' },
    { kind: 'workflow', key: 'password', type: 'string' },
  ],
  steps: [
    { type: 'input_text', target: { label: 'User name' }, value: '{{ user }}' },
    { type: 'input_text', target: { label: 'Password' }, value: '{{ password }}' },
    { action: { type: 'click', target: { css: '#sign-in' } }, assert: { text: 'Signed in as' } },
  ],
}
const exportInvoices: PlaybookInput = {
  name: 'export_invoices',
  parameters: [
    { kind: 'workflow', key: 'title', type: 'string' },
    { kind: 'workflow', key: 'which', type: 'string', default: 'open' },
  ],
  steps: [
    { type: 'input_text', target: { css: '#name' }, value: '{{ title }}' },
    { type: 'select_option', target: { css: '#status' }, value: '{{ which }}' },
    // a click may act twice: it is made again only where the failure proves that it did nothing
    { action: { type: 'click', target: { css: '#create-export' }, timeoutMs: 2_000 }, retries: 1, assert: { text: 'Export is ready' } },
  ],
}

const definition = defineWorkflow({
  parameters: [
    { kind: 'workflow', key: 'site', type: 'string' },
    { kind: 'secret', key: 'account', provider: 'memory', name: 'invoice-site' },
  ],
  blocks: [
    {
      type: 'navigation',
      label: 'export',
      url: '{{ site }}/sign-in?next=/export',
      steps: [
        { playbook: 'sign_in', parameters: { user: '{{ account.username }}', password: '{{ account.password }}' } },
        { playbook: 'export_invoices', parameters: { title: 'Reminders' } },
        { type: 'extract', selectors: { done: { testId: 'confirmation' } } },
      ],
    },
  ],
})

// the site's second release: the button has another id and another test id, and says the same
let release = 1
const changePage = (html: string) => (release === 1 ? html : html.replaceAll('"create-export"', '"primary-action"'))
const site = await startExampleSite({ changePage })

const storage = new MemoryStorage()
const sessions = new SessionPool({ storage, driver: new PlaywrightDriver(), organizationId: 'acme' })
const credentials = { memory: new MemoryCredentialProvider({ 'invoice-site': EXAMPLE_USER }) }
const engine = new WorkflowEngine({ storage, sessions, credentials, organizationId: 'acme' })
await engine.start()
const { workflowPermanentId } = await engine.createWorkflow({ title: 'Export', definition, playbooks: [signIn, exportInvoices] })

for (release of [1, 2]) {
  const run = await engine.startRun({ workflowPermanentId, parameters: { site: site.origin } })
  const { status, failureReason, outputs } = await run.result()
  const { extractedInformation, recoveredSteps } = outputs.export_output as {
    extractedInformation: { done: string }
    recoveredSteps: number
  }
  console.log(`Release ${release}: ${status}, ${failureReason ?? extractedInformation.done} Recovered steps: ${recoveredSteps}`)
  const { blocks } = await engine.getTimeline({ workflowRunId: run.workflowRunId })
  for (const { type, target, value, status, recovery, error } of blocks[0]?.attempts[0]?.actions.toReversed() ?? []) {
    const what = [type, ...Object.values(target ?? {}), ...(typeof value === 'string' ? [`= ${value}`] : [])].join(' ')
    const how = [recovery, (error as { code: string } | null)?.code].filter(Boolean).join(', ')
    console.log(`  ${status.padEnd(10)} ${what}${how && ` (${how})`}`)
  }
}

await engine.stop()
await site.close()
