import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defineWorkflow, FilesystemArtifactStore, MemoryCredentialProvider, SessionPool, WorkflowEngine } from 'runwright'
import { PlaywrightDriver } from 'runwright/playwright'
import { PostgresStorage } from 'runwright/postgres'
import { EXAMPLE_USER, startExampleSite } from './site/server.js'

/** What outlives a process is in this folder: rows in PGlite, bytes of profiles as files. */
function composeHost(folder: string) {
  const storage = new PostgresStorage({ pglite: join(folder, 'data') })
  const artifacts = new FilesystemArtifactStore({ directory: join(folder, 'artifacts') })
  const sessions = new SessionPool({ storage, artifacts, driver: new PlaywrightDriver(), organizationId: 'acme' })
  const credentials = { memory: new MemoryCredentialProvider({ books: EXAMPLE_USER }) }
  const engine = new WorkflowEngine({ storage, artifacts, sessions, credentials, organizationId: 'acme' })
  return { storage, sessions, engine }
}

const signIn = defineWorkflow({
  parameters: [
    { kind: 'workflow', key: 'site', type: 'string' },
    { kind: 'secret', key: 'account', provider: 'memory', name: 'books' },
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
  ],
})

// only who is signed in is shown this page; the others are led to the form, and the run fails
const selectors = { user: { testId: 'username' }, open: { testId: 'open-total' } }
const look = defineWorkflow({
  parameters: [{ kind: 'workflow', key: 'site', type: 'string' }],
  blocks: [{ type: 'extraction', label: 'me', url: '{{ site }}', selectors }],
})

type Host = ReturnType<typeof composeHost>
type Browser = { browserSessionId: string } | { browserProfileId: string }

async function run({ engine }: Host, definition: typeof look, site: string, browser: Browser) {
  const { workflowPermanentId } = await engine.createWorkflow({ title: 'Books', definition })
  const started = await engine.startRun({ workflowPermanentId, parameters: { site }, ...browser })
  const { status, failureReason, outputs } = await started.result()
  return [status, failureReason ?? outputs.me_output ?? '']
}

async function signInOnce(host: Host, site: string) {
  const { browserSessionId } = await host.sessions.create({ timeoutMinutes: 60 })
  console.log('Signing in:', ...(await run(host, signIn, site, { browserSessionId })))
  console.log('The next run on the session:', ...(await run(host, look, site, { browserSessionId })))
  const { browserProfileId } = await host.sessions.saveProfile({ browserSessionId, name: 'books' })
  await host.sessions.close({ browserSessionId })
  console.log('A new browser:', ...(await run(host, look, site, { browserProfileId })))
}

async function lookAgain(host: Host, site: string) {
  const [profile] = await host.sessions.listProfiles({ name: 'books' })
  if (profile === undefined) throw new Error('there is no profile of this name')
  console.log(`Process ${process.pid}:`, ...(await run(host, look, site, { browserProfileId: profile.browserProfileId })))
}

async function asHost(folder: string, work: (host: Host) => Promise<void>) {
  const host = composeHost(folder)
  await host.engine.start()
  await work(host)
  await host.engine.stop() // and with it the pool: its browsers are gone, and nobody is signed in any more but in the profile
  await host.storage.close()
}

const [given, address = ''] = process.argv.slice(2)
if (given !== undefined) await asHost(given, (host) => lookAgain(host, address))
else {
  const folder = await mkdtemp(join(tmpdir(), 'persistent-session-'))
  const site = await startExampleSite()
  await asHost(folder, (host) => signInOnce(host, site.origin))
  const restarted = fork(new URL(import.meta.url), [folder, site.origin], { execArgv: ['--import', 'tsx'] })
  ;[process.exitCode] = await once(restarted, 'exit')
  await site.close()
  await rm(folder, { recursive: true })
}
