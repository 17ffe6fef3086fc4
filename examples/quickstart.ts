import { MemoryCredentialProvider, MemoryStorage, SessionPool, StreamingSupervisor, WorkflowEngine } from 'runwright'
import { PlaywrightDriver } from 'runwright/playwright'
import { collectInvoices, sumUp } from './quickstart/workflows.js'

/** Puts the library together, as a service would once at its start. */
export function composeHost(account: { username: string; password: string }) {
  const organizationId = 'acme'
  const storage = new MemoryStorage()
  const streaming = new StreamingSupervisor({ storage, organizationId })
  const sessions = new SessionPool({ storage, streaming, driver: new PlaywrightDriver(), organizationId })
  const engine = new WorkflowEngine({
    storage,
    sessions,
    organizationId,
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
