import { type BlockContext, completed, defineBlock, type RunHandle, type StartRunParams, type WorkflowEngine } from 'runwright'
import { z } from 'zod'

type Holder = (context: BlockContext) => Promise<void>

/** Who waits for a block to begin, by the key of its workflow. */
const waiting = new Map<string, Holder[]>()
const workflows = new WeakMap<WorkflowEngine, { readonly key: string; readonly workflowPermanentId: string }>()
let lastKey = 0

/** A block that lends its context to whoever measures: to be registered with the engine. */
export const heldBlock = defineBlock({
  type: 'bench_held',
  schema: z.strictObject({ key: z.string() }),
  needsBrowser: true,
  async execute({ key }, context) {
    await waiting.get(key)?.shift()?.(context)
    return completed(null)
  },
})

/** A run that stands in its only block. */
export interface HeldRun {
  readonly context: BlockContext
  readonly run: RunHandle
  /** Lets the block complete, and waits for the end of the run. */
  end(): Promise<void>
}

/**
 * Starts a run, and gives the context of its block: what is measured there goes through everything that a block's actions go through.
 * One at a time of an engine may be starting.
 */
export async function holdRun(engine: WorkflowEngine, params: Omit<StartRunParams, 'workflowPermanentId'> = {}): Promise<HeldRun> {
  const { key, workflowPermanentId } = await prepareHeld(engine)
  let release: () => void = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const begun = new Promise<BlockContext>((resolve) => {
    waiting.get(key)?.push(async (context) => {
      resolve(context)
      await Promise.race([released, aborted(context.signal)])
    })
  })
  const run = await engine.startRun({ workflowPermanentId, ...params })
  const ended = run.result()
  const early = ended.then(({ status, failureReason }) => Promise.reject(new Error(`The run ended early: ${status}, ${failureReason}`)))
  const context = await Promise.race([begun, early])
  early.catch(() => {}) // told by end()
  const end = async () => {
    release()
    const { status, failureReason } = await ended
    if (status !== 'completed') throw new Error(`The run is ${status}: ${failureReason}`)
  }
  return { context, run, end }
}

/** Makes the engine's workflow for held runs, once. */
export async function prepareHeld(engine: WorkflowEngine): Promise<{ readonly key: string; readonly workflowPermanentId: string }> {
  const present = workflows.get(engine)
  if (present !== undefined) return present
  const key = `held_${++lastKey}`
  waiting.set(key, [])
  const definition = { blocks: [{ label: 'held', type: 'bench_held', key }] } as never // the type is the engine's own
  const { workflowPermanentId } = await engine.createWorkflow({ title: key, definition })
  const made = { key, workflowPermanentId }
  workflows.set(engine, made)
  return made
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
