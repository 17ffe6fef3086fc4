import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineWorkflow, FilesystemArtifactStore, MemoryCredentialProvider, SessionPool, WorkflowEngine } from 'runwright'
import { PlaywrightDriver } from 'runwright/playwright'
import { PostgresStorage } from 'runwright/postgres'
import { EXAMPLE_USER, startExampleSite } from './site/server.js'

/** Everything that outlives a process is in this folder: rows in PGlite, bytes of profiles as files. */
function composeHost(folder: string) {
  const storage = new PostgresStorage({ pglite: join(folder, 'data') })
  const artifacts = new FilesystemArtifactStore({ directory: join(folder, 'artifacts') })
  const sessions = new SessionPool({ storage, artifacts, driver: new PlaywrightDriver(), organizationId: 'acme' })
  const credentials = { memory: new MemoryCredentialProvider({ 'invoice-site': EXAMPLE_USER }) }
  const engine = new WorkflowEngine({ storage, artifacts, sessions, credentials, organizationId: 'acme' })
  const stop = async () => {
    await engine.stop() // and with it the pool, its sessions and their browsers
    await storage.close()
  }
  return { sessions, engine, stop }
}

const signIn = defineWorkflow({
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
  ],
})

// only who is signed in is shown this page; the others are led to the form, and the run fails
const look = defineWorkflow({
  parameters: [{ kind: 'workflow', key: 'site', type: 'string' }],
  blocks: [
    { type: 'extraction', label: 'home', url: '{{ site }}/', selectors: { user: { testId: 'username' }, open: { testId: 'open-total' } } },
  ],
})

type Host = ReturnType<typeof composeHost>
type Browser = { browserSessionId: string } | { browserProfileId: string }

async function run({ engine }: Host, definition: typeof look, browser: Browser) {
  const { workflowPermanentId } = await engine.createWorkflow({ title: 'Books', definition })
  const started = await engine.startRun({ workflowPermanentId, parameters: { site: origin }, ...browser })
  const { status, failureReason, outputs } = await started.result()
  return [status, failureReason ?? outputs.home_output ?? '']
}

/** The first process: signs in, once. */
async function first(folder: string) {
  const host = composeHost(folder)
  await host.engine.start()
  const { browserSessionId } = await host.sessions.create({ timeoutMinutes: 60 })
  console.log('Signing in:', ...(await run(host, signIn, { browserSessionId })))
  console.log('The next run on the session:', ...(await run(host, look, { browserSessionId })))

  const { browserProfileId, kind, version } = await host.sessions.saveProfile({ browserSessionId, name: 'books' })
  console.log(`Saved: a ${kind}, version ${version}`)
  await host.sessions.close({ browserSessionId })
  console.log('A new browser:', ...(await run(host, look, { browserProfileId })))
  await host.stop()
}

/** Another process, later: what it knows is in the folder. */
async function later(folder: string) {
  const host = composeHost(folder)
  await host.engine.start()
  const [profile] = await host.sessions.listProfiles({ name: 'books' })
  if (profile === undefined) throw new Error('there is no profile of this name')
  console.log(`Process ${process.pid}:`, ...(await run(host, look, { browserProfileId: profile.browserProfileId })))
  await host.stop()
}

const [given, address] = process.argv.slice(2)
const site = address === undefined ? await startExampleSite() : undefined
const origin = site?.origin ?? address
if (given !== undefined) await later(given)
else {
  const folder = await mkdtemp(join(tmpdir(), 'persistent-session-'))
  await first(folder)
  const again = fork(fileURLToPath(import.meta.url), [folder, origin ?? ''], { execArgv: ['--import', 'tsx'] })
  ;[process.exitCode] = await once(again, 'exit')
  await rm(folder, { recursive: true })
  await site?.close()
}
