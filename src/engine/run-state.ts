import type { AgentUsage } from '../actions/index.js'
import type { BlockDefinition, SecretReferences } from '../definition/index.js'
import type { Json } from '../errors/index.js'
import type { Random } from '../runtime/index.js'
import type { RunRow } from '../storage/index.js'
import type { BlockJournal } from './block-journal.js'
import type { CompiledWorkflow } from './compiled-workflow.js'
import type { RunElements } from './element-memory.js'
import type { PinnedPlaybooks } from './pinned-playbooks.js'
import type { RunBrowser } from './run-browser.js'
import type { RunEnvironment } from './run-environment.js'
import type { RunGuard } from './run-guard.js'
import type { RunHistory } from './run-history.js'
import type { RunJournal } from './run-journal.js'
import type { RunScope } from './run-scope.js'
import type { RunSuspendedError } from './run-suspended.js'
import type { StorageTime } from './storage-time.js'

/** Everything that belongs to one execution of a run, shared by its walker, blocks and finalizer. */
export interface RunState {
  readonly environment: RunEnvironment
  readonly run: RunRow
  readonly workflow: CompiledWorkflow
  readonly scope: RunScope
  readonly secrets: SecretReferences
  readonly journal: RunJournal
  readonly blocks: BlockJournal
  readonly browser: RunBrowser
  /** What it may do, and where. */
  readonly guard: RunGuard
  readonly time: StorageTime
  readonly elements: RunElements
  readonly playbooks: PinnedPlaybooks
  /** What earlier executions of the run have left. */
  readonly history: RunHistory
  /** Unguessable texts. */
  readonly random: Random
  /** Ends this execution, as its run goes on without it. */
  readonly suspend: (reason: RunSuspendedError) => void
  /** The block attempt whose pause was decided, and which has been told so; null: none. */
  decidedRunBlockId: string | null
  /** What models have used so far; null: none was asked. */
  usage: AgentUsage | null
  /** Actions performed so far, failed ones included. */
  actionCount: number
  /** Attempts at steps so far. */
  stepCount: number
}

/** Values that a handler sees: those named by `parameterKeys`, or all but the secrets. */
export async function handlerParameters(state: RunState, block: BlockDefinition): Promise<Record<string, Json>> {
  const { definition } = state.workflow
  const keys = block.parameterKeys ?? definition.parameters.filter(({ kind }) => kind !== 'secret').map(({ key }) => key)
  const values: Record<string, Json> = {}
  for (const key of keys) {
    const isSecret = definition.parameters.some((parameter) => parameter.key === key && parameter.kind === 'secret')
    values[key] = isSecret ? ((await state.secrets.credential(key)) as Json) : ((state.scope.lookUp(key) ?? null) as Json)
  }
  return values
}

/** What both have used. Pure. */
export const summedUsage = (before: AgentUsage | null, { tokens, calls }: AgentUsage): AgentUsage => ({
  tokens: (before?.tokens ?? 0) + tokens,
  calls: (before?.calls ?? 0) + calls,
})
