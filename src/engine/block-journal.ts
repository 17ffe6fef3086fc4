import type { BlockResult } from '../blocks/index.js'
import type { BlockDefinition } from '../definition/index.js'
import type { Json } from '../errors/index.js'
import type { EventPayload } from '../events/index.js'
import type { Ids } from '../runtime/index.js'
import type { BlockStatus, RunBlockRow, RunRow, Write } from '../storage/index.js'
import { type BlockPlace, begunBlock, identityOf } from './begun-block.js'
import type { RunHistory } from './run-history.js'
import type { RunJournal } from './run-journal.js'
import type { StorageTime } from './storage-time.js'

/** A block attempt as it is written down: begun, and perhaps ended. */
export type BlockEntry = RunBlockRow

export interface BlockJournalOptions {
  readonly journal: RunJournal
  readonly run: RunRow
  readonly ids: Ids
  readonly time: StorageTime
  readonly begun: BlockEntry | null
}

/** Writes the rows and events of block attempts, through the run's journal; knows which are open. */
export class BlockJournal {
  readonly #journal: RunJournal
  readonly #run: RunRow
  readonly #ids: Ids
  readonly #time: StorageTime
  readonly #open = new Map<string, BlockEntry>()
  readonly #ended: BlockEntry[] = []
  #begun: BlockEntry | null
  #sequence: number
  #tasks = 0
  /** Whether the walk only comes by what earlier executions have done: nothing of that is told again. */
  #isReplaying = false

  /** @param options - `begun`: the attempt that the run was stored with; it is begun already when the walk comes to it */
  constructor(options: BlockJournalOptions) {
    this.#journal = options.journal
    this.#begun = options.begun
    if (options.begun !== null) this.#open.set(options.begun.runBlockId, options.begun)
    this.#sequence = options.begun?.sequence ?? 0
    this.#run = options.run
    this.#ids = options.ids
    this.#time = options.time
  }

  /** Attempts that ended without being made again, in that order. */
  get ended(): readonly BlockEntry[] {
    return this.#ended
  }

  /** The attempt that began last of those that are open; null between two blocks. */
  get current(): BlockEntry | null {
    return [...this.#open.values()].at(-1) ?? null
  }

  /** Takes over what earlier executions have left. `tasks` counts those that they began; `goesOn` tells which blocks will be run. */
  restore(history: RunHistory, tasks: number, goesOn: (label: string) => boolean): void {
    for (const row of history.open) this.#open.set(row.runBlockId, row)
    this.#ended.push(...history.ended(goesOn))
    this.#sequence = history.rows.at(-1)?.sequence ?? this.#sequence
    this.#tasks = tasks
    this.#isReplaying = history.rows.length > 0
  }

  /** An attempt begins: one commit, together with the end of the block before it. */
  async begin(block: BlockDefinition, attempt: number, place: BlockPlace, intent: BlockEntry['intent'] = null): Promise<BlockEntry> {
    const begun = this.#begun
    this.#begun = null
    if (begun?.label === block.label) return begun
    const runBlockId = this.#ids.next('rb')
    const sequence = ++this.#sequence
    const entry: BlockEntry = {
      ...begunBlock({ runBlockId, run: this.#run, block, place, attempt, sequence, intent }),
      startedAt: this.#time.now(),
    }
    this.#isReplaying = false
    this.#open.set(entry.runBlockId, entry)
    this.#journal.stage({ op: 'insert', table: 'run_blocks', row: entry })
    this.#journal.stageEvent('block.started', identityOf(entry))
    await this.#journal.commit()
    return entry
  }

  /** Keeps what a block has produced so far, and says how far it is. */
  async progress(entry: BlockEntry, output: Json, done: number, total: number | null): Promise<void> {
    if (!this.#open.has(entry.runBlockId)) return // it was given up on meanwhile
    this.#open.set(entry.runBlockId, { ...entry, output })
    if (this.#isReplaying) return
    this.#journal.stage({ op: 'update', table: 'run_blocks', id: entry.runBlockId, set: { output } })
    this.#journal.stageEvent('block.progressed', { ...identityOf(entry), done, total })
    await this.#journal.commit()
  }

  /**
   * Writes down what an attempt is about to do that must not be done twice: `isFirst` resolves when it is written, later ones go with the
   * next commit.
   */
  async intend({ runBlockId }: BlockEntry, intent: NonNullable<BlockEntry['intent']>, isFirst: boolean): Promise<void> {
    if (!this.#open.has(runBlockId)) return // it was given up on meanwhile
    this.#journal.stage({ op: 'update', table: 'run_blocks', id: runBlockId, set: { intent } })
    if (isFirst) await this.#journal.commit()
    else this.#journal.flushSoon()
  }

  /** The steps of a goal block begin: its task is written with the next commit, and ends with the attempt. Null: it was given up on. */
  beginTask({ runBlockId }: BlockEntry, task: { readonly url: string | null; readonly goal: string | null }): string | null {
    const entry = this.#open.get(runBlockId)
    if (entry === undefined) return null
    const { organizationId, workflowRunId, label: blockLabel, attempt } = entry
    const taskId = this.#ids.next('tsk')
    const now = this.#time.now()
    const place = { taskId, organizationId, workflowRunId, runBlockId, blockLabel, retry: attempt - 1, order: this.#tasks++ }
    this.#open.set(runBlockId, { ...entry, taskId })
    this.#journal.stage({ op: 'insert', table: 'tasks', row: { ...place, ...task, status: 'running', createdAt: now, modifiedAt: now } })
    this.#journal.stage({ op: 'update', table: 'run_blocks', id: runBlockId, set: { taskId } })
    return taskId
  }

  /** An attempt ended and is made again after `delayMs`. */
  retry(entry: BlockEntry, result: BlockResult, delayMs: number): void {
    const ended = this.#close(entry, result)
    this.#journal.stage(updateOf(ended))
    this.#journal.stageEvent('block.retried', { ...this.#endOf(ended), delayMs })
  }

  /** An attempt ended for good; written with the next commit. */
  end(entry: BlockEntry, result: BlockResult): void {
    const ended = this.#close(entry, result)
    this.#ended.push(ended)
    this.#journal.stage(updateOf(ended))
    this.#journal.stageEvent(`block.${result.status}`, this.#endOf(ended))
  }

  /** Stages the end of every attempt that is still open, but for those at the block `except`; for a run that ends. */
  closeOpen(
    status: Exclude<BlockStatus, 'running' | 'completed'>,
    failureReason: string,
    errorCode: string | null,
    except: string | null = null,
  ): void {
    for (const entry of [...this.#open.values()].reverse()) {
      if (entry.label !== except) this.end(entry, { status, failureReason, errorCode, output: entry.output })
    }
  }

  #close(entry: BlockEntry, result: BlockResult): BlockEntry {
    const { output: progressed = null, taskId = null } = this.#open.get(entry.runBlockId) ?? {}
    this.#open.delete(entry.runBlockId)
    const finishedAt = this.#time.now()
    const failure =
      result.status === 'completed'
        ? { failureReason: null, errorCode: null }
        : { failureReason: result.failureReason, errorCode: result.errorCode }
    if (taskId !== null) {
      const set = { status: result.status, errorCode: failure.errorCode, modifiedAt: finishedAt }
      this.#journal.stage({ op: 'update', table: 'tasks', id: taskId, set })
    }
    return {
      ...entry,
      ...failure,
      taskId,
      status: result.status,
      output: result.status === 'completed' ? result.output : (result.output ?? progressed),
      branch: result.status === 'completed' && result.branch !== undefined ? { ...result.branch } : null,
      finishedAt,
      durationMs: Math.max(0, finishedAt.getTime() - entry.startedAt.getTime()),
    }
  }

  #endOf(entry: BlockEntry): EventPayload<'block.completed'> {
    const { durationMs, failureReason, errorCode } = entry
    return { ...identityOf(entry), durationMs: durationMs ?? 0, failureReason, errorCode }
  }
}

function updateOf(entry: BlockEntry): Write {
  const { status, output, failureReason, errorCode, branch, finishedAt, durationMs } = entry
  return {
    op: 'update',
    table: 'run_blocks',
    id: entry.runBlockId,
    set: { status, output, failureReason, errorCode, branch, finishedAt, durationMs },
  }
}
