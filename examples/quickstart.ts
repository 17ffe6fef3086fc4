import {
  FilesystemArtifactStore,
  MemoryCredentialProvider,
  SessionPool,
  type Storage,
  StreamingSupervisor,
  WorkflowEngine,
} from 'runwright'
import { PlaywrightDriver } from 'runwright/playwright'
import { PostgresStorage } from 'runwright/postgres'
import { collectInvoices, sumUp } from './quickstart/workflows.js'

// Postgres in this very process, kept in a folder; a service gives its own: { pool } or { connectionString }
export const pglite = () => new PostgresStorage({ pglite: '.quickstart/data' })

/** Puts the library together, as a service would once at its start. */
export function composeHost(account: { username: string; password: string }, storage: Storage = pglite()) {
  const organizationId = 'acme'
  const streaming = new StreamingSupervisor({ storage, organizationId })
  const sessions = new SessionPool({ storage, streaming, driver: new PlaywrightDriver(), organizationId })
  const engine = new WorkflowEngine({
    storage,
    sessions,
    organizationId,
    artifacts: new FilesystemArtifactStore({ directory: '.quickstart/artifacts' }),
    credentials: { memory: new MemoryCredentialProvider({ 'invoice-site': account }) },
    handlers: { sumUp },
  })
  return { storage, streaming, sessions, engine }
}

/** Runs one workflow in a new persistent session, which stays open for the next run. */
export async function collect(host: ReturnType<typeof composeHost>, site: string, onSession: (browserSessionId: string) => Promise<void>) {
  const { workflowPermanentId } = await host.engine.createWorkflow({ title: 'Collect invoices', definition: collectInvoices })
  const { browserSessionId } = await host.sessions.create({ timeoutMinutes: 60 })
  await onSession(browserSessionId)
  const run = await host.engine.startRun({ workflowPermanentId, parameters: { site }, browserSessionId })
  return run.result()
}
