import type { WorkflowDefinitionInput } from '../../../src/definition/index.js'
import { EventFactory } from '../../../src/engine/event-factory.js'
import { PauseTimers } from '../../../src/engine/people/pause-watch.js'
import { RunResumes } from '../../../src/engine/people/run-resumes.js'
import type { Notifier } from '../../../src/engine/run-ports.js'
import { type AnyEvent, runStream } from '../../../src/events/index.js'
import { silentLogger } from '../../../src/runtime/index.js'
import { guardStorage, MemoryStorage, type NewRow, type RunRow, type Storage, storageNow } from '../../../src/storage/index.js'
import { FakeClock, sequentialIds } from '../../../src/testing/index.js'

/** What ends pauses, on a storage of its own; nothing executes. */
export function peopleKit(options: { notifier?: Notifier; wrap?: (storage: Storage) => Storage } = {}) {
  const clock = new FakeClock()
  const memory = new MemoryStorage({ clock })
  const storage = guardStorage((options.wrap ?? ((inner) => inner))(memory))
  const events = new EventFactory(sequentialIds())
  const emitted: AnyEvent[] = []
  const dispatched: string[] = []
  const dispatcher = { start: async () => {}, stop: async () => {}, dispatch: async (id: string) => void dispatched.push(id) }
  const timers = new PauseTimers({ storage, clock, logger: silentLogger, notifier: options.notifier, expire: (run) => resumes.expire(run) })
  const resumes = new RunResumes({
    ...{ storage, events, dispatcher, logger: silentLogger },
    emit: (event) => emitted.push(event),
    onDecided: (workflowRunId) => timers.over(workflowRunId),
  })
  return { clock, memory, storage, events, emitted, dispatched, timers, resumes }
}

interface PausedRunChanges extends Partial<Omit<NewRow<RunRow>, 'workflowRunId' | 'pauseExpiresAt'>> {
  readonly workflowRunId?: string
  readonly pauseExpiresAt?: Date
  readonly token?: string
  readonly runBlockId?: string
}

/** A run that waits for somebody, for two hours, with its event. */
export async function pausedRun(
  { storage, events }: Pick<ReturnType<typeof peopleKit>, 'storage' | 'events'>,
  changes: PausedRunChanges = {},
): Promise<RunRow> {
  const { token = 'token_1', runBlockId = 'rb_1', workflowRunId = 'wr_1', ...columns } = changes
  await storage.open()
  const now = await storage.now()
  const pause = {
    ...{ runBlockId, label: 'ask', instructions: 'Look', positiveDescriptor: 'Approve', negativeDescriptor: 'Reject' },
    ...{ recipients: ['ada@acme.test'], resumeToken: token, timeoutMs: 7_200_000 },
  }
  const { pauseExpiresAt = new Date(now.getTime() + 7_200_000) } = changes
  const row = { ...runColumns, pause, pausedAt: now, ...columns, workflowRunId, pauseExpiresAt }
  const { timeoutMs, ...told } = pause
  const payload = { workflowRunId, workflowPermanentId: 'wpid_1', ...told, expiresAt: pauseExpiresAt.toISOString() }
  const result = await storage.commit([
    { op: 'insert', table: 'runs', row },
    { op: 'append', stream: runStream(workflowRunId), events: [events.create('acme', 'run.paused', payload)] },
  ])
  if (!result.ok) throw new Error(result.reason)
  return result.rows[0]?.[0] as RunRow
}

const runColumns = {
  ...{ rootWorkflowRunId: 'wr_1', organizationId: 'acme', workflowId: 'wf_1', workflowPermanentId: 'wpid_1' },
  ...{ workflowTitle: 'A test', runType: 'workflow', status: 'paused', parameters: {}, isParked: false, hasDependents: false },
  ...{ ownsSession: false, dryRun: false, priority: 0, leaseFence: 1, attempt: 1, takeovers: 0, pausedMs: 0, stepCount: 0, actionCount: 0 },
  ...{ createdAt: storageNow(), modifiedAt: storageNow() },
} satisfies Omit<NewRow<RunRow>, 'workflowRunId'>

/** A block that asks somebody, then one that runs after it. */
export const asking = (more: object = {}): WorkflowDefinitionInput => ({
  blocks: [
    { type: 'human_interaction', label: 'ask', instructions: 'Is it right?', ...more },
    { type: 'code', label: 'after', handler: 'noop' },
  ],
})
