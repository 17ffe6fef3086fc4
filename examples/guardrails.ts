import { type Guardrail, MemoryStorage, SessionPool, type SingleActionInput, WorkflowEngine } from 'runwright'
import { PlaywrightDriver } from 'runwright/playwright'
import { EXAMPLE_USER, startExampleSite } from './site/server.js'

// every page of the site has an advertisement in it: the browser is told to connect to it at once, and people to click on it
const changePage = (html: string) =>
  html
    .replace('<head>', '<head><link rel="preconnect" href="http://tracker.example.net/">')
    .replace('</main>', '<a id="ad" href="http://shop.example.net/">Everything must go</a></main>')
const site = await startExampleSite({ changePage })

/** A rule that no list of hosts can say. Whoever throws here, or takes too long, refuses. */
const exportsArePeoples: Guardrail = ({ action, page }) =>
  action.type === 'click' && page?.url.endsWith('/export') ? { allow: false, reason: 'exports are made by people' } : { allow: true }

const storage = new MemoryStorage()
const sessions = new SessionPool({ storage, driver: new PlaywrightDriver(), organizationId: 'acme' })
const engine = new WorkflowEngine({
  storage,
  sessions,
  organizationId: 'acme',
  actionTimeoutMs: 5_000,
  scopePolicy: {
    allowedDomains: ['127.0.0.1'],
    allowPrivateNetwork: true, // the example site is on this machine; yours will not be
    blinders: ['#sign-out'],
    guardrails: [exportsArePeoples],
  },
})
engine.on('request.blocked', ({ host, port, rule, count }) => {
  if (host.endsWith('example.net') && count === 1) console.log(`  request blocked: ${host}:${port} (${rule})`)
})
await engine.start()
const { browserSessionId } = await sessions.create({ guarded: true }) // its traffic can be held to policies from the start

// a run that stays inside
const task = await engine.runTask({
  browserSessionId,
  url: `${site.origin}/sign-in`,
  steps: [
    { type: 'input_text', target: { label: 'User name' }, value: EXAMPLE_USER.username },
    { type: 'input_text', target: { label: 'Password' }, value: EXAMPLE_USER.password },
    { type: 'click', target: { role: 'button', name: 'Sign in' } },
    { type: 'wait_for', target: { testId: 'open-total' } },
  ],
  extraction: { selectors: { open: { testId: 'open-total' } } },
})
const { status, failureReason, outputs } = await task.result()
const { extractedInformation } = outputs.task_output as { extractedInformation: { open: string } }
console.log(`Inside: ${status}, ${failureReason ?? extractedInformation.open}`)

// and what does not get out, each stopped in another place
const attempts: readonly (readonly [string, SingleActionInput, path?: string])[] = [
  ['Another host', { type: 'goto_url', url: 'http://shop.example.net/' }],
  ['A name that looks alike', { type: 'goto_url', url: 'http://127.0.0.1.example.net/' }],
  ['A file of this machine', { type: 'goto_url', url: 'file:///etc/passwd' }],
  ['The advertisement', { type: 'click', target: { css: '#ad' } }],
  ['A blinded button', { type: 'click', target: { css: '#sign-out' } }],
  ['A click that the guardrail minds', { type: 'click', target: { css: '#create-export' } }, '/export'],
]
for (const [what, action, path] of attempts) {
  const url = path === undefined ? {} : { url: site.origin + path }
  const { status, error } = await engine.runAction({ browserSessionId, action, ...url })
  console.log(`${what}: ${status}, ${error?.message}`)
}
const where = await engine.runAction({ browserSessionId, action: { type: 'assert', url: `${site.origin}/export` } })
console.log(`Still inside: ${where.status}`)

await engine.stop()
await site.close()
