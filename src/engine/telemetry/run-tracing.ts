import type { AnyEvent, EventPayload, RunEventType, RunwrightEvent, TypedBus } from '../../events/index.js'
import type { Clock, Logger } from '../../runtime/index.js'
import type { SpanContextOf, Tracer } from '../run-ports.js'
import { type OpenSpan, SafeTracer, type SpanEnd } from './safe-tracer.js'
import { actionAttributes, blockAttributes, blockEndAttributes, runAttributes, runEndAttributes } from './span-attributes.js'

/** A run that is executed here. */
interface TracedRun {
  readonly span: OpenSpan
  /** By `runBlockId`. */
  readonly blocks: Map<string, OpenSpan>
}

type Action = RunwrightEvent<'action.performed'> | RunwrightEvent<'action.blocked'>
type BlockEnd = EventPayload<'block.completed'>

/** Most runs whose spans are kept open; the oldest of more was lost to another host. */
const MOST_OPEN_RUNS = 10_000

/**
 * Spans of runs, blocks and actions, made of the events of this process: `runwright.run` from the claim to the end or the pause,
 * `runwright.block` of each attempt below it (in loops below the loop's), `runwright.action` below its block. Times are those of the
 * events.
 */
export class RunTracing {
  readonly #tracer: SafeTracer
  readonly #bus: TypedBus<RunEventType>
  readonly #clock: Clock
  readonly #runs = new Map<string, TracedRun>()
  /** Resumed by this process; another one may be the one that goes on with it. */
  readonly #resumedAt = new Map<string, Date>()
  #untie: (() => void) | null = null

  constructor(options: {
    readonly tracer: Tracer
    readonly spanContext?: SpanContextOf | undefined
    readonly bus: TypedBus<RunEventType>
    readonly clock: Clock
    readonly logger: Logger
  }) {
    this.#tracer = new SafeTracer(options)
    this.#bus = options.bus
    this.#clock = options.clock
  }

  /** Runs whose spans are open. */
  get openRunCount(): number {
    return this.#runs.size
  }

  start(): void {
    this.#untie ??= this.#bus.onAny((event) => this.#on(event))
  }

  /** Ends what is open: it goes on elsewhere, if at all. */
  stop(): void {
    this.#untie?.()
    this.#untie = null
    this.#resumedAt.clear()
    for (const workflowRunId of [...this.#runs.keys()]) this.#abandon(workflowRunId)
  }

  #on(event: AnyEvent<RunEventType>): void {
    switch (event.type) {
      case 'run.started':
      case 'run.recovered':
        this.#begin(event, event.at)
        break
      case 'run.resumed':
        this.#remember(event.payload.workflowRunId, event.at)
        break
      case 'run.paused':
        this.#end(event.payload.workflowRunId, { status: 'unset', at: event.at, attributes: runEndAttributes({ status: 'paused' }) })
        break
      case 'run.completed':
      case 'run.failed':
      case 'run.terminated':
      case 'run.canceled':
      case 'run.timed_out':
        this.#final(event.payload, event.at)
        break
      case 'block.started':
        this.#blockStarted(event)
        break
      case 'block.retried':
      case 'block.completed':
      case 'block.failed':
      case 'block.terminated':
      case 'block.canceled':
      case 'block.timed_out':
        this.#blockEnded(event.type.slice('block.'.length), event.payload, event.at)
        break
      case 'action.performed':
      case 'action.blocked':
        this.#action(event)
    }
  }

  /** A run that comes here a second time was lost in between. */
  #begin(
    { organizationId, payload }: Pick<RunwrightEvent, 'organizationId'> & { readonly payload: Parameters<typeof runIdsOf>[0] },
    at: Date,
  ): TracedRun {
    const { workflowRunId } = payload
    this.#abandon(workflowRunId)
    this.#resumedAt.delete(workflowRunId)
    const attributes = runAttributes({ organizationId, ...runIdsOf(payload) })
    const run = { span: this.#tracer.open({ name: 'runwright.run', attributes, at, parent: null }), blocks: new Map() }
    this.#runs.set(workflowRunId, run)
    const oldest = this.#runs.keys().next()
    if (this.#runs.size > MOST_OPEN_RUNS && !oldest.done) this.#abandon(oldest.value)
    return run
  }

  #remember(workflowRunId: string, at: Date): void {
    this.#resumedAt.set(workflowRunId, at)
    const oldest = this.#resumedAt.keys().next()
    if (this.#resumedAt.size > MOST_OPEN_RUNS && !oldest.done) this.#resumedAt.delete(oldest.value)
  }

  /** A run that goes on after a pause is claimed without an event: its first block, or action, tells that it is executed here. */
  #runOf(event: RunwrightEvent<'block.started'> | Action): TracedRun {
    const { workflowRunId } = event.payload
    return this.#runs.get(workflowRunId) ?? this.#begin(event, this.#resumedAt.get(workflowRunId) ?? event.at)
  }

  #final(result: EventPayload<'run.completed'>, at: Date): void {
    this.#resumedAt.delete(result.workflowRunId)
    this.#end(result.workflowRunId, { ...endOf(result.status, result), attributes: runEndAttributes(result), at })
  }

  #blockStarted(event: RunwrightEvent<'block.started'>): void {
    const run = this.#runOf(event)
    const { runBlockId, parentRunBlockId } = event.payload
    const parent = run.blocks.get(parentRunBlockId ?? '') ?? run.span
    run.blocks.set(
      runBlockId,
      this.#tracer.open({ name: 'runwright.block', attributes: blockAttributes(event.payload), at: event.at, parent }),
    )
  }

  #blockEnded(status: string, block: BlockEnd, at: Date): void {
    const run = this.#runs.get(block.workflowRunId)
    const span = run?.blocks.get(block.runBlockId)
    if (run === undefined || span === undefined) return // begun elsewhere
    run.blocks.delete(block.runBlockId)
    this.#tracer.close(span, { ...endOf(status, block), attributes: blockEndAttributes(status, block), at })
  }

  #action(event: Action): void {
    const run = this.#runOf(event)
    const { at, payload } = event
    const status = event.type === 'action.blocked' ? 'blocked' : event.payload.status
    const { error, durationMs } = payload
    const parent = run.blocks.get(payload.runBlockId) ?? run.span
    const attributes = actionAttributes({ ...payload, error: error ?? { code: '', message: '' } }, status, error?.code ?? null)
    const span = this.#tracer.open({ name: 'runwright.action', attributes, at: new Date(at.getTime() - durationMs), parent })
    this.#tracer.close(span, { ...endOf(status, { errorCode: error?.code ?? null, failureReason: error?.message ?? null }), at })
  }

  /** Ends the spans of a run that is executed here no longer. */
  #abandon(workflowRunId: string): void {
    this.#end(workflowRunId, { status: 'unset', at: this.#clock.now(), attributes: { 'runwright.run.abandoned': true } })
  }

  #end(workflowRunId: string, end: SpanEnd): void {
    const run = this.#runs.get(workflowRunId)
    if (run === undefined) return
    this.#runs.delete(workflowRunId)
    for (const block of [...run.blocks.values()].reverse()) this.#tracer.close(block, { status: 'unset', at: end.at })
    this.#tracer.close(run.span, end)
  }
}

const runIdsOf = (payload: { readonly workflowRunId: string; readonly workflowPermanentId?: string; readonly attempt?: number }) => {
  const { workflowRunId, workflowPermanentId, attempt } = payload
  // a block has attempts of its own
  return workflowPermanentId === undefined
    ? { workflowRunId }
    : { workflowRunId, workflowPermanentId, ...(attempt === undefined ? {} : { attempt }) }
}

/** What was canceled, or ended early on purpose, went neither well nor badly. */
function endOf(
  status: string,
  { errorCode, failureReason }: { errorCode: string | null; failureReason: string | null },
): Pick<SpanEnd, 'status' | 'failure'> {
  if (status === 'completed') return { status: 'ok' }
  if (status === 'canceled' || status === 'terminated') return { status: 'unset' }
  return { status: 'error', failure: { code: errorCode, reason: failureReason ?? status } }
}
