import type { ActionResult, AgentOutcome, AgentUsage, PageFacade, SequenceResult } from '../actions/index.js'
import type { Action, BlockDefinition, StepEntry } from '../definition/index.js'
import type { Json } from '../errors/index.js'
import type { DownloadedFile } from '../events/index.js'
import type { BlockNotCompleted, BlockResult } from './block-result.js'
import type { PauseDecision, PauseRequest } from './pause.js'
import type { TriggeredRun, TriggerRunRequest } from './trigger-run.js'

/** What a run lends to one block attempt. Built-in blocks get nothing that a host's own do not. */
export interface BlockContext {
  readonly organizationId: string
  readonly workflowRunId: string
  readonly runBlockId: string
  /** Aborts on cancel, time-out or a lost browser; a block stops within 250 ms. */
  readonly signal: AbortSignal
  /** Names that the workflow gives to error codes, see `errorCodeMapping`. */
  readonly errorCodeMapping: Readonly<Record<string, string>>

  /** Renders a template to text; secrets come out as references, which only actions resolve. */
  render(template: string): string
  /** Renders a template; a sole `{{ x | tojson }}` keeps its JSON type. */
  renderValue(template: string): Json
  /** The value at a dotted path of the template scope (`rows_output.items`); undefined when there is none. */
  lookup(path: string): unknown
  /** Whether a criterion's expression renders to a true text. */
  isTrue(expression: string): boolean

  /** The guarded page; unlike those of `perform`, the texts of its calls are no templates. */
  readonly page: PageFacade
  /** Performs one action, whose texts are templates. */
  perform(action: Action): Promise<ActionResult>
  /**
   * Performs a list of steps: actions, steps with what is done when they fail, calls of the workflow's playbooks. A failure is a result.
   * With `task`, the attempts at its steps are recorded under a task of this block attempt, made by the first such call.
   */
  performAll(steps: readonly StepEntry[], options?: PerformAllOptions): Promise<SequenceResult>
  /**
   * The driver's own object of the active page, Playwright's `Page` as a rule: `nativePage<Page>()`. For what no action can do. Where the
   * browser's traffic is guarded it stays so, but nothing done here is checked, recorded or counted as an action, and a cancel does not
   * stop it.
   */
  nativePage<T = unknown>(): Promise<T>
  /** Whether an agent is configured. */
  readonly hasAgent: boolean
  /** Whether actions are only checked, and nothing is done. */
  readonly dryRun: boolean
  /**
   * Has the agent work on a goal; its actions are recorded as steps of this attempt's task. Never rejects but when the attempt ends, and
   * without an agent.
   * @throws {AgentRequiredError} `AGENT_REQUIRED`
   */
  runAgent(goal: AgentGoal): Promise<AgentOutcome>
  /** What models have used in this attempt so far; null: no agent has acted. */
  readonly agentUsage: AgentUsage | null
  /** Actions performed in this attempt so far. */
  readonly actionCount: number
  readonly downloads: BlockDownloads

  /** Calls a function that the host registered. */
  callHandler(name: string): Promise<Json>
  /** Waits; ends early, by rejecting, when the block is aborted. */
  sleep(ms: number): Promise<void>
  /**
   * Pauses the run until somebody decides, by `engine.resume`, or its time is over: the run takes no worker and no lease meanwhile, and keeps
   * its browser. The attempt ends here, without a result, and its `execute` is called again, perhaps by another process, once it is decided:
   * the same call then gives the decision. So nothing that must happen once may stand before it.
   */
  pause(request: PauseRequest): Promise<PauseDecision>
  /**
   * Starts a run of a workflow of the same organisation below this one, and waits for its end where that is asked for; this run takes no
   * worker meanwhile. An attempt that is made again because its host was lost finds the run that it had started. When this run is canceled,
   * so is every run below it; when it ends otherwise, those that it waits for.
   * @throws {BlockFailed} `TRIGGER_DEPTH_EXCEEDED`, `SECRET_IN_PAYLOAD`, `CHILD_RUN_DEADLOCK`
   * @throws {WorkflowNotFoundError} {SessionNotFoundError} {ParameterError}
   */
  triggerRun(request: TriggerRunRequest): Promise<TriggeredRun>
  /** Runs child blocks as a level of their own. */
  runChildren(params: RunChildrenParams): Promise<ChildrenResult>
  /** Label of the block after this one, for a branch with this target (null: the block's own next); null ends the level. */
  nextBlock(branchTaken: string | null): string | null
  /** Evaluates something with `current_index` set, as a loop's own condition sees it. */
  withIndex<T>(currentIndex: number, evaluate: () => T): T
  /** Unsets outputs and aliases of blocks at any depth of a level. */
  resetOutputs(blocks: readonly BlockDefinition[]): void
  /** Stores what the block has produced so far and says how far it is; `total` null when unknown. */
  progress(output: Json, done: number, total: number | null): Promise<void>
}

/** What an agent is asked for; every text is a template. It is shown secrets as placeholders only. */
export interface AgentGoal {
  readonly goal: string
  /** Address that it begins at: it is open already. */
  readonly url?: string | undefined
  /** Facts that it needs. */
  readonly payload?: Json | undefined
  readonly completeCriterion?: string | undefined
  readonly terminateCriterion?: string | undefined
  /** JSON Schema that its output must fit. Not a template. */
  readonly schema?: Readonly<Record<string, Json>> | boolean | undefined
  /** Codes that it may end with, each with its meaning. */
  readonly errorCodeMapping?: Readonly<Record<string, string>> | undefined
  /** Most of its steps. @default the run's own, else 25 */
  readonly maxSteps?: number | undefined
}

/** What is recorded of a list of steps. */
export interface PerformAllOptions {
  readonly task?: {
    /** Address that it begins at; a template. */
    readonly url?: string | undefined
    /** What is to be reached; a template. */
    readonly goal?: string | undefined
  }
}

/** The files that the page downloads during a block attempt. */
export interface BlockDownloads {
  /**
   * Waits for downloads under way and, at most `timeoutMs`, until there are `atLeast`; gives all of this attempt, stored as artifacts.
   * @throws {ActionError} `DOWNLOAD_FAILED` when one broke off.
   */
  collect(params: {
    readonly atLeast: number
    readonly timeoutMs: number
    readonly filename?: string | undefined
  }): Promise<readonly DownloadedFile[]>
}

/** Which child blocks to run, and in which iteration. */
export interface RunChildrenParams {
  readonly blocks: readonly BlockDefinition[]
  /** Index of the iteration, from 0. */
  readonly currentIndex: number
  /** Value of the iteration; without it, an outer loop's stays visible. */
  readonly current?: { readonly value: Json }
}

/** One child of a loop that ran. */
export interface ChildRun {
  readonly block: BlockDefinition
  readonly result: BlockResult
}

/** What became of a level of child blocks. */
export interface ChildrenResult {
  /** Those that ran, in order; retries count once. */
  readonly children: readonly ChildRun[]
  /** The child whose failure ended the level; null when it went to its end. */
  readonly stoppedBy: { readonly block: BlockDefinition; readonly result: BlockNotCompleted } | null
  /** More than 50 block executions in one iteration. */
  readonly exceededLimit: boolean
}

/** Most block executions in one iteration of a loop, inclusive. */
export const MAX_BLOCKS_PER_ITERATION = 50
/** Most iterations of a loop. */
export const MAX_LOOP_ITERATIONS = 1_000
