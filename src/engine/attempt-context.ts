import { createReadStream } from 'node:fs'
import {
  type ActionContext,
  type ActionResult,
  type AgentOutcome,
  type AgentUsage,
  createPageFacade,
  type HandOver,
  type PageFacade,
  SequenceExecutor,
  type SequenceResult,
  type StepRecorder,
} from '../actions/index.js'
import type {
  AgentGoal,
  BlockContext,
  BlockDownloads,
  ChildrenResult,
  PauseDecision,
  PauseRequest,
  PerformAllOptions,
  RunChildrenParams,
  TriggeredRun,
  TriggerRunRequest,
} from '../blocks/index.js'
import { type Action, type BlockDefinition, isTruthyText, type StepEntry } from '../definition/index.js'
import { BlockFailed, type Json, TemplateError } from '../errors/index.js'
import type { DownloadedFile } from '../events/index.js'
import { type AbortFork, sleep } from '../runtime/index.js'
import { attemptActions, literalActions } from './attempt-actions.js'
import type { BlockEntry } from './block-journal.js'
import { triggerRun } from './children/trigger-run.js'
import { allBlocks } from './compiled-workflow.js'
import { handOverRequest } from './hand-over.js'
import { toJsonOutput } from './json-output.js'
import { pauseRun } from './pause-run.js'
import { type RunAgentParams, renderGoal, runAgent } from './run-agent.js'
import { saveRunFile } from './run-files.js'
import { AttemptIntents } from './run-intent.js'
import { handlerParameters, type RunState, summedUsage } from './run-state.js'
import { playbookSource, stepRecorder } from './step-records.js'

export interface AttemptContextOptions {
  readonly state: RunState
  readonly block: BlockDefinition
  readonly entry: BlockEntry
  readonly fork: AbortFork
  readonly nextBlock: (branchTaken: string | null) => string | null
  readonly runChildren: (params: RunChildrenParams, entry: BlockEntry, fork: AbortFork) => Promise<ChildrenResult>
}

/** How long a browser may take to show its active page. */
const NATIVE_PAGE_TIMEOUT_MS = 15_000

/** What one block attempt is lent; see {@link BlockContext}. */
export class AttemptContext implements BlockContext {
  readonly organizationId: string
  readonly workflowRunId: string
  readonly runBlockId: string
  readonly downloads: BlockDownloads
  readonly #options: AttemptContextOptions
  readonly #intents: AttemptIntents
  /** Made when they are first asked for: most blocks never touch a page. */
  #lent: ActionContext | undefined
  #page: PageFacade | undefined
  #actionCount = 0
  #stepCount = 0
  #usage: AgentUsage | null = null
  /** Set once the steps of a task have begun. */
  #recorder: StepRecorder | undefined

  constructor(options: AttemptContextOptions) {
    const { state, entry } = options
    this.#options = options
    this.#intents = new AttemptIntents(state, options.block, entry)
    this.organizationId = entry.organizationId
    this.workflowRunId = entry.workflowRunId
    this.runBlockId = entry.runBlockId
    this.downloads = { collect: (params) => this.#collectDownloads(params) }
    state.browser.downloads.begin()
  }

  /** Made when it is first read. */
  get signal(): AbortSignal {
    return this.#options.fork.signal
  }

  get page(): PageFacade {
    this.#page ??= this.#createPage()
    return this.#page
  }

  get errorCodeMapping(): Readonly<Record<string, string>> {
    return this.#options.state.workflow.row.errorCodeMapping ?? {}
  }

  get hasAgent(): boolean {
    return this.#options.state.environment.agent !== null
  }

  get dryRun(): boolean {
    return this.#options.state.run.dryRun
  }

  get agentUsage(): AgentUsage | null {
    return this.#usage
  }

  get actionCount(): number {
    return this.#actionCount
  }

  render(template: string): string {
    return this.#templates.render(template, this.#scope.lookUp)
  }

  renderValue(template: string): Json {
    return this.#templates.renderValue(template, this.#scope.lookUp)
  }

  lookup(path: string): unknown {
    return this.#scope.resolve(path)
  }

  isTrue(expression: string): boolean {
    return isTruthyText(this.render(expression))
  }

  perform(action: Action): Promise<ActionResult> {
    return this.#options.state.environment.router.execute(action, this.#actions, { stepIndex: this.#actionCount })
  }

  async performAll(steps: readonly StepEntry[], { task }: PerformAllOptions = {}): Promise<SequenceResult> {
    const { state } = this.#options
    const { router, clock, alternativeTargets } = state.environment
    if (task !== undefined) this.#beginTask(task)
    const firstStep = this.#stepCount
    const { results, ...rest } = await new SequenceExecutor({ router, clock }).execute(steps, this.#actions, {
      firstStep,
      nextStepIndex: () => this.#actionCount,
      recorder: this.#recorder,
      playbooks: playbookSource(state, this.#actions.texts),
      alternativeTargets,
      handOver: this.hasAgent ? this.#handOver : undefined,
    })
    this.#stepCount = firstStep + rest.stepCount
    return { results, ...rest }
  }

  async runAgent(goal: AgentGoal): Promise<AgentOutcome> {
    this.#beginTask({ url: goal.url, goal: goal.goal })
    const request = renderGoal(goal, (template) => this.render(template))
    const outcome = await this.#byAgent({ request, recorder: this.#recorder, firstStep: this.#stepCount })
    this.#stepCount += outcome.stepCount
    return outcome
  }

  async nativePage<T = unknown>(): Promise<T> {
    const browser = await this.#actions.browser()
    await this.#intents.beforeNativePage()
    return (await browser.activePage({ signal: this.signal, timeoutMs: NATIVE_PAGE_TIMEOUT_MS })).native() as T
  }

  async callHandler(name: string): Promise<Json> {
    const { state, block } = this.#options
    const { handlers } = state.environment
    const handler = Object.hasOwn(handlers, name) ? handlers[name] : undefined
    if (handler === undefined) {
      const known = Object.keys(handlers).join(', ') || 'none'
      throw new BlockFailed(`No handler "${name}" is registered; registered: ${known}`, {
        code: 'UNKNOWN_HANDLER',
        details: { handler: name },
      })
    }
    const parameters = await handlerParameters(state, block)
    const context = this
    const returned = await handler({
      parameters,
      // made when they are asked for: most handlers use none of them
      get signal() {
        return context.signal
      },
      get outputs() {
        return state.scope.outputsByLabel()
      },
      get page() {
        return context.page
      },
    })
    return toJsonOutput(returned, `Handler "${name}"`)
  }

  sleep(ms: number): Promise<void> {
    return sleep(this.#options.state.environment.clock, ms, this.signal)
  }

  triggerRun(request: TriggerRunRequest): Promise<TriggeredRun> {
    return triggerRun({ ...this.#options, signal: this.signal }, request)
  }

  pause(request: PauseRequest): Promise<PauseDecision> {
    const { state, entry } = this.#options
    const { timeoutMs, ...texts } = request
    const shown = state.secrets.redact(texts as unknown as Json) as unknown as typeof texts
    return pauseRun(state, entry, { ...shown, timeoutMs }, this.signal)
  }

  runChildren(params: RunChildrenParams): Promise<ChildrenResult> {
    return this.#options.runChildren(params, this.#options.entry, this.#options.fork)
  }

  nextBlock(branchTaken: string | null): string | null {
    return this.#options.nextBlock(branchTaken)
  }

  withIndex<T>(currentIndex: number, evaluate: () => T): T {
    return this.#scope.withIndex(currentIndex, evaluate)
  }

  resetOutputs(blocks: readonly BlockDefinition[]): void {
    for (const { label } of allBlocks(blocks)) this.#scope.unsetOutput(label)
  }

  progress(output: Json, done: number, total: number | null): Promise<void> {
    const { state, entry } = this.#options
    return state.blocks.progress(entry, state.secrets.redact(toJsonOutput(output, `Block "${entry.label}"`)), done, total)
  }

  /** The agent does one step, on which the list goes on. */
  readonly #handOver: HandOver = async (params) => {
    const { status, reason, usage } = await this.#byAgent({
      request: handOverRequest(params),
      stepId: params.stepId,
      recovery: 'agent',
    })
    return { completed: status === 'completed', reason: reason ?? undefined, tokens: usage.tokens }
  }

  async #byAgent(work: Pick<RunAgentParams, 'request' | 'recorder' | 'firstStep' | 'stepId' | 'recovery'>): Promise<AgentOutcome> {
    const nextStepIndex = () => this.#actionCount
    const onRecord = () => this.#actionCount++
    const outcome = await runAgent({ ...this.#options, signal: this.signal, ...work, nextStepIndex, onRecord, intents: this.#intents })
    this.#usage = summedUsage(this.#usage, outcome.usage)
    return outcome
  }

  #beginTask({ url, goal }: NonNullable<PerformAllOptions['task']>): void {
    const { state, entry } = this.#options
    if (this.#recorder !== undefined) return
    const taskId = state.blocks.beginTask(entry, { url: this.#shown(url), goal: this.#shown(goal) })
    if (taskId !== null) this.#recorder = stepRecorder(state, entry, taskId)
  }

  /** A text as rows keep it. What cannot be rendered is kept as it was written: the step that uses it fails, and says why. */
  #shown(text: string | undefined): string | null {
    if (text === undefined) return null
    let rendered = text
    try {
      rendered = this.render(text)
    } catch (error) {
      if (!TemplateError.is(error)) throw error
    }
    return this.#options.state.secrets.redact(rendered) as string
  }

  get #actions(): ActionContext {
    this.#lent ??= attemptActions({ ...this.#options, signal: this.signal, onRecord: () => this.#actionCount++, intents: this.#intents })
    return this.#lent
  }

  #createPage(): PageFacade {
    const { router } = this.#options.state.environment
    const literal = literalActions(this.#actions)
    return createPageFacade((action) => router.execute(action, literal, { stepIndex: this.#actionCount }))
  }

  get #scope() {
    return this.#options.state.scope
  }

  get #templates() {
    return this.#options.state.environment.templates
  }

  #collectDownloads(params: Parameters<BlockDownloads['collect']>[0]): Promise<readonly DownloadedFile[]> {
    const { state, entry } = this.#options
    return state.browser.downloads.collect({
      ...params,
      filename: params.filename === undefined ? undefined : String(state.secrets.redact(params.filename)),
      signal: this.signal,
      save: async ({ path, filename }) => {
        const body = createReadStream(path)
        return saveRunFile({ state, entry, type: 'download', filename, body, signal: this.signal })
      },
    })
  }
}
