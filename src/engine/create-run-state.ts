import { type AnyEvent, runStream } from '../events/index.js'
import { type AbortFork, type Random, systemRandom } from '../runtime/index.js'
import type { RunBlockRow, RunRow } from '../storage/index.js'
import { BlockJournal } from './block-journal.js'
import { summarizeBlocks } from './block-summary.js'
import type { CompiledWorkflow } from './compiled-workflow.js'
import { RunElements } from './element-memory.js'
import { minutesForPeople } from './people-session.js'
import { PinnedPlaybooks } from './pinned-playbooks.js'
import { RunBrowser } from './run-browser.js'
import type { RunEnvironment } from './run-environment.js'
import { RunGuard } from './run-guard.js'
import type { RunHistory } from './run-history.js'
import { RunJournal } from './run-journal.js'
import { RunProfile } from './run-profile.js'
import { RunScope } from './run-scope.js'
import { createSecrets } from './run-secrets.js'
import type { RunState } from './run-state.js'
import type { RunSuspendedError } from './run-suspended.js'
import { StorageTime } from './storage-time.js'

export interface CreateRunStateParams {
  readonly environment: RunEnvironment
  /** The run as it was claimed. */
  readonly run: RunRow
  readonly workflow: CompiledWorkflow
  /** Aborts with the execution. */
  readonly control: AbortFork
  readonly random?: Random
  /** A commit was refused or failed: the execution cannot go on. */
  readonly onCommitFailed: (error: unknown) => void
  /** The browser is gone. */
  readonly onBrowserLost: (reason: unknown) => void
  /** The run goes on without this execution. */
  readonly onSuspended: (reason: RunSuspendedError) => void
  /** What earlier executions have left; empty: this is the first. */
  readonly history: RunHistory
  readonly hasBegunBefore: boolean
  /** The block attempt that the run was stored with; null: none. */
  readonly begun: RunBlockRow | null
}

/** Puts together what one execution works with. */
export function createRunState(params: CreateRunStateParams): RunState {
  const { environment, run, workflow, control } = params
  const { storage, clock, events, ids } = environment
  const time = new StorageTime(clock, run.modifiedAt)
  const stream = runStream(run.workflowRunId)
  const emit = (event: AnyEvent) => (event.stream === stream ? environment.emit(event) : undefined)
  const onDeferred = (error: unknown) =>
    environment.logger.warn('actions could not be recorded yet', { workflowRunId: run.workflowRunId, error })
  const journal = new RunJournal({ storage, clock, events, run, emit, onFailed: params.onCommitFailed, onDeferred })
  const blocks = new BlockJournal({ journal, run, ids, time, begun: params.begun })
  const random = params.random ?? systemRandom
  const secrets = createSecrets({
    parameters: workflow.definition.parameters,
    providers: environment.credentials,
    run,
    nonce: random.bytes(16),
    control,
  })
  const guard: RunGuard = new RunGuard({
    policies: environment.scopePolicies,
    run,
    workflow: workflow.row,
    journal,
    browserSessionId: () => browser.lease?.browserSessionId ?? run.browserSessionId,
    redactHost: (text) => secrets.redactHost(text),
  })
  const browser: RunBrowser = new RunBrowser({
    networkPolicy: () => guard.scope?.network ?? null,
    sessions: environment.sessions,
    profile: new RunProfile({ sessions: environment.sessions, run, workflow: workflow.row }),
    run,
    minutesForPeople: minutesForPeople(workflow.blocks.values()),
    clock,
    now: () => time.now(),
    hasBegunBefore: params.hasBegunBefore,
    adopted: environment.parked.take(run.workflowRunId),
    control,
    onLost: params.onBrowserLost,
    onNotGivenBack: (lease) => environment.parked.park(run, lease, browser.isPrivate),
    onPrivateSession: (browserSessionId) => journal.stageRun({ browserSessionId, ownsSession: true }),
  })
  const elements = new RunElements({ storage, run })
  const playbooks = new PinnedPlaybooks({ storage, run, workflow: workflow.row })
  const scope: RunScope = new RunScope({
    constants: {
      workflow_title: run.workflowTitle,
      workflow_id: run.workflowId,
      workflow_permanent_id: run.workflowPermanentId,
      workflow_run_id: run.workflowRunId,
    },
    computed: {
      current_date: () => time.now().toISOString().slice(0, 10),
      browser_session_id: () => browser.lease?.browserSessionId ?? run.browserSessionId ?? '',
      workflow_run_outputs: () => scope.outputs(),
      workflow_run_summary: () => runSummary(blocks),
    },
    parameters: { ...run.parameters, ...Object.fromEntries(secrets.variables) },
    contextParameters: workflow.definition.parameters.filter((parameter) => parameter.kind === 'context'),
    blockOutputs: run.blockOutputs ?? {},
  })
  return {
    environment,
    run,
    workflow,
    scope,
    secrets,
    journal,
    blocks,
    browser,
    guard,
    time,
    elements,
    playbooks,
    history: params.history,
    random,
    suspend: params.onSuspended,
    decidedRunBlockId: null,
    usage: run.usage,
    actionCount: 0,
    stepCount: 0,
  }
}

/** What templates see as `workflow_run_summary`. */
function runSummary(blocks: BlockJournal) {
  const { extractedInformation, downloadedFiles, errors } = summarizeBlocks(blocks.ended)
  return { extractedInformation, downloadedFiles, errors, failureReason: errors.at(-1)?.reason ?? null }
}
