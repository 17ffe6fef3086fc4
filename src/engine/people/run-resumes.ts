import type { PauseDecision } from '../../blocks/index.js'
import { type Json, ResumeTokenError, RunNotFoundError, RunNotPausedError } from '../../errors/index.js'
import { type AnyEvent, runStream } from '../../events/index.js'
import type { Logger } from '../../runtime/index.js'
import { type RunRow, type Storage, storageNow, type Where } from '../../storage/index.js'
import type { RunDispatcher } from '../dispatcher.js'
import type { ResumeRunRequest } from '../engine-params.js'
import type { EventFactory } from '../event-factory.js'
import { hasDecided } from './earlier-decision.js'
import { pauseOf, type StoredPause } from './run-pause.js'

export interface RunResumesOptions {
  readonly storage: Storage
  readonly events: EventFactory
  readonly emit: (event: AnyEvent) => void
  readonly dispatcher: RunDispatcher
  readonly logger: Logger
  /** Told of a run whose pause this process has ended. */
  readonly onDecided: (workflowRunId: string) => void
}

type Answer = Pick<PauseDecision, 'decision' | 'data' | 'by'>

/** Ends pauses: by what somebody decides, or because their time is over. Each is one conditional write, whoever comes first. */
export class RunResumes {
  readonly #options: RunResumesOptions

  constructor(options: RunResumesOptions) {
    this.#options = options
  }

  /**
   * Answers the present pause; the run goes on as soon as a worker is free. The same answer to the same pause once more changes nothing.
   * @throws {RunNotFoundError} {RunNotPausedError} {ResumeTokenError}
   */
  async resume(request: ResumeRunRequest & { readonly organizationId: string }): Promise<RunRow> {
    const { organizationId, workflowRunId, resumeToken, decision, data = null, by } = request
    const { storage } = this.#options
    for (;;) {
      const run = await storage.get('runs', workflowRunId)
      if (run === undefined || run.organizationId !== organizationId) throw new RunNotFoundError(workflowRunId)
      const pause = pauseOf(run)
      const isPresent = resumeToken === undefined || pause?.resumeToken === resumeToken
      if (run.status !== 'paused' || pause === null || !isPresent) {
        const isRepeated = resumeToken !== undefined && (await hasDecided({ storage, workflowRunId, resumeToken, decision }))
        if (isRepeated) return run
        throw run.status === 'paused' && pause !== null
          ? new ResumeTokenError(workflowRunId)
          : new RunNotPausedError(workflowRunId, run.status)
      }
      if (run.cancelRequestedAt !== null) throw new RunNotPausedError(workflowRunId, 'being canceled')
      const answered = await this.#end(
        run,
        pause,
        { decision, data, by },
        { any: [{ pauseExpiresAt: null }, { pauseExpiresAt: { gt: storageNow() } }] },
      )
      if (answered !== null) return answered
      await this.expire(run) // it changed meanwhile, or its time is over: look again
    }
  }

  /** Ends a pause whose time is over by the storage's clock; false when that is not so, or it has ended. */
  async expire(run: RunRow): Promise<boolean> {
    const pause = pauseOf(run)
    if (run.status !== 'paused' || pause === null) return false
    const answer: Answer = { decision: 'timeout', data: null, by: 'the time limit' }
    return (await this.#end(run, pause, answer, { pauseExpiresAt: { lte: storageNow() } })) !== null
  }

  async #end(run: RunRow, pause: StoredPause, answer: Answer, when: Where<RunRow>): Promise<RunRow | null> {
    const { storage, events, emit, onDecided } = this.#options
    const { workflowRunId, workflowPermanentId, organizationId } = run
    const now = await storage.now()
    const resumed = events.create(organizationId, 'run.resumed', {
      ...{ workflowRunId, workflowPermanentId, runBlockId: pause.runBlockId, label: pause.label },
      ...{ decision: answer.decision, by: answer.by },
    })
    const pauseDecision: Record<string, Json> = { runBlockId: pause.runBlockId, ...answer, at: now.toISOString() }
    const result = await storage.commit([
      {
        op: 'update',
        table: 'runs',
        id: workflowRunId,
        // each pause has a fence of its own: going on after one raises it
        where: { ...when, status: 'paused', leaseFence: run.leaseFence, cancelRequestedAt: null },
        set: {
          ...{ status: 'running', leaseHolder: null, leaseExpiresAt: null, pauseDecision },
          pausedMs: run.pausedMs + Math.max(0, now.getTime() - (run.pausedAt ?? now).getTime()),
          ...{ pausedAt: null, pauseExpiresAt: null, modifiedAt: storageNow() },
        },
      },
      { op: 'append', stream: runStream(workflowRunId), events: [resumed] },
    ])
    if (!result.ok) return null
    for (const event of result.events.flat()) emit(event as AnyEvent)
    onDecided(workflowRunId)
    await this.#dispatch(run)
    return result.rows[0]?.[0] as RunRow
  }

  /** The decision is written: a dispatcher that fails only puts the run off until the next sweep. */
  async #dispatch({ workflowRunId, priority }: RunRow): Promise<void> {
    try {
      await this.#options.dispatcher.dispatch(workflowRunId, { priority })
    } catch (error) {
      this.#options.logger.warn('a resumed run could not be dispatched', { workflowRunId, error })
    }
  }
}
