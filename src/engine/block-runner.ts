import { type BlockResult, type BlockType, type ChildrenResult, failed, type RunChildrenParams, terminated } from '../blocks/index.js'
import { type BlockDefinition, isLoopBlock } from '../definition/index.js'
import { ActionError, BlockFailed, BlockTerminated, type Json, RunCanceledError, RunwrightError, TimeoutError } from '../errors/index.js'
import { type AbortFork, type Clock, forkAbort, raceAbort, sleep, type Timer } from '../runtime/index.js'
import { AttemptContext } from './attempt-context.js'
import type { BlockEntry } from './block-journal.js'
import { pastOf } from './block-replay.js'
import { toJsonOutput } from './json-output.js'
import { forgetPause } from './pause-run.js'
import { intentAtBegin } from './run-intent.js'
import type { RunState } from './run-state.js'

export interface RunBlockParams {
  readonly block: BlockDefinition
  /** The loop that the block is a child of; null at the top level. */
  readonly parentRunBlockId: string | null
  /** Ends it. */
  readonly fork: AbortFork
  /** Where the walk goes on after the block, from the target of the branch that it took. */
  readonly nextBlock: (branchTaken: string | null) => string | null
  readonly runChildren: (params: RunChildrenParams, entry: BlockEntry, fork: AbortFork) => Promise<ChildrenResult>
}

/** First pause before a retry, in milliseconds; doubles with each, up to the limit. */
const RETRY_DELAY_MS = 500
const RETRY_DELAY_LIMIT_MS = 30_000
/** How long an aborted block may take to stop before the run goes on without it; a loop has as much again, for its children. */
const ABORT_GRACE_MS = 250

/** One for all, as an error takes as long to make as a block without work. */
const ATTEMPT_ENDED = new ActionError('The block attempt has ended', { code: 'ACTION_BLOCKED' })

/** Runs one block of a run: its attempts, their rows, its output. */
export class BlockRunner {
  readonly #state: RunState

  constructor(state: RunState) {
    this.#state = state
  }

  /**
   * Runs the block, retries included; what earlier executions of the run have done of it is not done again. Rejects only when the execution
   * itself cannot go on: canceled, suspended, taken over, storage gone.
   */
  async run(params: RunBlockParams): Promise<BlockResult> {
    const { block, fork } = params
    const { scope, blocks, journal, environment, guard, history, time } = this.#state
    const place = {
      parentRunBlockId: params.parentRunBlockId,
      currentIndex: scope.currentIndex,
      currentValue: this.#redacted(scope.currentValue),
    }
    fork.throwIfAborted()
    const visit = history.take({ ...place, label: block.label })
    const past = pastOf(this.#state, block, visit)
    if (past.result !== null) return past.result
    let { entry, attempt } = past
    for (let counted = past.counted + 1; ; counted++) {
      fork.throwIfAborted()
      if (entry === null) {
        const intent = intentAtBegin(block, environment.registry.get(block.type), time.now())
        entry = await blocks.begin(block, ++attempt, place, intent)
      }
      const result = this.#storable(block, await this.#attempt(params, entry))
      forgetPause(this.#state, entry)
      guard.attemptEnded()
      const isRetried = counted <= block.maxRetries && !fork.isAborted && (result.status === 'failed' || result.status === 'terminated')
      if (!isRetried) {
        blocks.end(entry, result)
        scope.setOutput(block.label, result.status === 'completed' ? result.output : null)
        return result
      }
      const delayMs = Math.min(RETRY_DELAY_LIMIT_MS, RETRY_DELAY_MS * 2 ** (counted - 1))
      blocks.retry(entry, result, delayMs)
      entry = null
      await journal.commit()
      await sleep(environment.clock, delayMs, fork.signal)
    }
  }

  async #attempt(params: RunBlockParams, entry: BlockEntry): Promise<BlockResult> {
    const { block } = params
    const { environment, browser } = this.#state
    const type = environment.registry.get(block.type)
    if (type === undefined) return failed(`No block type "${block.type}" is registered`, 'UNKNOWN_BLOCK_TYPE')
    const fork = forkAbort(params.fork)
    const timeoutSeconds = type.ownsTimeout ? null : (block.timeoutSeconds ?? environment.defaultBlockTimeoutSeconds)
    const timer =
      timeoutSeconds === null
        ? null
        : environment.clock.setTimer(
            () => fork.abort(new TimeoutError(`Block "${block.label}"`, timeoutSeconds * 1_000, { code: 'BLOCK_TIMED_OUT' })),
            timeoutSeconds * 1_000,
          )
    try {
      if (type.needsBrowser) await raceAbort(browser.open(), fork.signal)
      const context = new AttemptContext({ ...params, state: this.#state, entry, fork })
      const result = await settleOrAbandon({
        work: type.execute(block as Parameters<BlockType['execute']>[0], context),
        fork,
        graceMs: isLoopBlock(block) ? 2 * ABORT_GRACE_MS : ABORT_GRACE_MS,
        clock: environment.clock,
      })
      if (!isBlockResult(result)) return failed(`Block type "${block.type}" gave no block result`, 'INVALID_BLOCK_RESULT')
      return fork.isAborted && result.status !== 'completed' ? aborted(fork.reason, result.output) : result
    } catch (cause) {
      return fork.isAborted ? aborted(fork.reason) : resultOfError(block, cause)
    } finally {
      timer?.cancel()
      fork.dispose()
      fork.abort(ATTEMPT_ENDED) // whatever it has left behind acts no more
    }
  }

  #redacted<T>(value: T): T {
    return this.#state.secrets.redact(value as never) as T
  }

  /** The result as it may be written: its output is JSON, without secrets. */
  #storable(block: BlockDefinition, result: BlockResult): BlockResult {
    try {
      const output = this.#redacted(toJsonOutput(result.output, `Block "${block.label}"`))
      if (result.status === 'completed') return { ...result, output }
      return { ...result, output, failureReason: this.#redacted(result.failureReason), errorCode: this.#redacted(result.errorCode) }
    } catch (cause) {
      return resultOfError(block, cause)
    }
  }
}

interface BlockWork {
  readonly work: Promise<BlockResult>
  readonly fork: AbortFork
  readonly graceMs: number
  readonly clock: Clock
}

/** Waits for the block; once it is aborted, only as long as the grace allows. */
function settleOrAbandon({ work, fork, graceMs, clock }: BlockWork): Promise<BlockResult> {
  return new Promise((resolve, reject) => {
    let timer: Timer | null = null
    const onAbort = () => {
      timer = clock.setTimer(() => reject(fork.reason), graceMs)
    }
    if (fork.isAborted) onAbort()
    const stop = fork.onAbort(onAbort)
    const end = () => {
      stop()
      timer?.cancel()
    }
    work.then(
      (result) => {
        end()
        resolve(result)
      },
      (error: unknown) => {
        end()
        reject(error)
      },
    )
  })
}

const STATUSES: readonly unknown[] = ['completed', 'failed', 'terminated', 'canceled', 'timed_out']

/** A host's block type is not always TypeScript. */
function isBlockResult(result: BlockResult | undefined): result is BlockResult {
  return typeof result === 'object' && result !== null && STATUSES.includes(result.status)
}

/** The result of a block whose signal aborted. */
function aborted(reason: unknown, output: Json = null): BlockResult {
  const message = reason instanceof Error ? reason.message : String(reason)
  const errorCode = reason instanceof RunwrightError ? reason.code : null
  const status = reason instanceof TimeoutError ? 'timed_out' : reason instanceof RunCanceledError ? 'canceled' : 'failed'
  return { status, failureReason: message, errorCode, output, cause: reason }
}

/** The result of a block that threw. */
function resultOfError(block: BlockDefinition, cause: unknown): BlockResult {
  const message = cause instanceof Error ? cause.message : String(cause)
  if (cause instanceof BlockTerminated) return terminated(message, cause.code)
  if (cause instanceof BlockFailed || cause instanceof ActionError) return failed(message, cause.code, { cause })
  return failed(`"${block.label}": ${message}`, cause instanceof RunwrightError ? cause.code : 'BLOCK_ERROR', { cause })
}
