import { createReadStream } from 'node:fs'
import {
  type ActionContext,
  type ActionResult,
  createPageFacade,
  type PageFacade,
  SequenceExecutor,
  type SequenceResult,
} from '../actions/index.js'
import type { BlockContext, BlockDownloads, ChildrenResult, RunChildrenParams } from '../blocks/index.js'
import { type Action, type BlockDefinition, isTruthyText } from '../definition/index.js'
import { BlockFailed, type Json } from '../errors/index.js'
import type { DownloadedFile } from '../events/index.js'
import { sleep } from '../runtime/index.js'
import { attemptActions, literalActions } from './attempt-actions.js'
import type { BlockEntry } from './block-journal.js'
import { allBlocks } from './compiled-workflow.js'
import { toJsonOutput } from './json-output.js'
import { saveRunFile } from './run-files.js'
import { handlerParameters, type RunState } from './run-state.js'

export interface AttemptContextOptions {
  readonly state: RunState
  readonly block: BlockDefinition
  readonly entry: BlockEntry
  readonly signal: AbortSignal
  readonly nextBlock: (branchTaken: string | null) => string | null
  readonly runChildren: (params: RunChildrenParams, entry: BlockEntry, signal: AbortSignal) => Promise<ChildrenResult>
}

/** What one block attempt is lent; see {@link BlockContext}. */
export class AttemptContext implements BlockContext {
  readonly organizationId: string
  readonly workflowRunId: string
  readonly runBlockId: string
  readonly signal: AbortSignal
  readonly downloads: BlockDownloads
  readonly #options: AttemptContextOptions
  /** Made when they are first asked for: most blocks never touch a page. */
  #lent: ActionContext | undefined
  #page: PageFacade | undefined
  #actionCount = 0

  constructor(options: AttemptContextOptions) {
    const { state, entry, signal } = options
    this.#options = options
    this.organizationId = entry.organizationId
    this.workflowRunId = entry.workflowRunId
    this.runBlockId = entry.runBlockId
    this.signal = signal
    this.downloads = { collect: (params) => this.#collectDownloads(params) }
    state.browser.downloads.begin()
  }

  get page(): PageFacade {
    this.#page ??= this.#createPage()
    return this.#page
  }

  get errorCodeMapping(): Readonly<Record<string, string>> {
    return this.#options.state.workflow.row.errorCodeMapping ?? {}
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

  performAll(actions: readonly Action[]): Promise<SequenceResult> {
    return new SequenceExecutor(this.#options.state.environment.router).execute(actions, this.#actions, this.#actionCount)
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
      signal: this.signal,
      // made when they are asked for: most handlers use neither
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

  runChildren(params: RunChildrenParams): Promise<ChildrenResult> {
    return this.#options.runChildren(params, this.#options.entry, this.signal)
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

  get #actions(): ActionContext {
    this.#lent ??= attemptActions({ ...this.#options, onRecord: () => this.#actionCount++ })
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
