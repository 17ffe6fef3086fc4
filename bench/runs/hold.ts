import { type BlockContext, completed, defineBlock } from 'runwright'
import { z } from 'zod'
import { sharedNowMs } from '../lib/worker.js'

/** Blocks that hold their runs, and when each began and was aborted, by the clock of all processes. */
export class Hold {
  readonly #begunAt = new Map<string, number>()
  readonly #abortedAt = new Map<string, number>()
  #waiting: (() => void)[] = []

  /** A block that never ends by itself. */
  readonly block = defineBlock({
    type: 'bench_hold',
    schema: z.strictObject({}),
    execute: async (_, { workflowRunId, signal }) => {
      this.#note(this.#begunAt, workflowRunId)
      await aborted(signal)
      this.#note(this.#abortedAt, workflowRunId)
      return completed(null)
    },
  })

  begun(workflowRunId: string): Promise<number> {
    return this.#when(this.#begunAt, workflowRunId)
  }

  aborted(workflowRunId: string): Promise<number> {
    return this.#when(this.#abortedAt, workflowRunId)
  }

  /** Resolves when so many blocks hold their runs. */
  async holding(count: number): Promise<void> {
    while (this.#begunAt.size - this.#abortedAt.size < count) await this.#change()
  }

  /** Rejects when a block is aborted. */
  async failing(): Promise<never> {
    while (this.#abortedAt.size === 0) await this.#change()
    throw new Error('A run was stopped while it was held')
  }

  async #when(times: ReadonlyMap<string, number>, id: string): Promise<number> {
    for (;;) {
      const at = times.get(id)
      if (at !== undefined) return at
      await this.#change()
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #note(times: Map<string, number>, id: string): void {
    times.set(id, sharedNowMs())
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

function aborted(signal: BlockContext['signal']): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
