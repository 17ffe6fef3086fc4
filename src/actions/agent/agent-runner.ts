import { z } from 'zod'
import { validateJson } from '../../definition/index.js'
import { ActionError, type Json } from '../../errors/index.js'
import { type Clock, forkAbort, raceAbort } from '../../runtime/index.js'
import type { ActionContext } from '../action-context.js'
import type { ActionRouter } from '../action-router.js'
import { AgentSight } from './agent-sight.js'
import { type AgentJournal, AgentWork } from './agent-work.js'
import type { AgentResult, AgentTask, AgentUsage, BrowserAgent } from './browser-agent.js'

/** Most steps of a task that names no number. */
export const DEFAULT_AGENT_STEPS = 25
/** Most characters of one observation. */
export const DEFAULT_OBSERVATION_CHARS = 40_000

export interface AgentRunnerOptions {
  readonly agent: BrowserAgent
  readonly router: ActionRouter
  readonly clock: Clock
  /** Most characters of one observation. */
  readonly maxObservationChars: number
}

/** What a task came to; nothing in it holds a secret. */
export interface AgentOutcome {
  readonly status: 'completed' | 'failed' | 'terminated'
  /** Null when it completed. */
  readonly reason: string | null
  readonly errorCode: string | null
  readonly output: Json
  readonly usage: AgentUsage
  readonly stepCount: number
  /** Set when it was stopped, threw, or gave no result. */
  readonly error: ActionError | null
}

const count = z.number().min(0)
const resultSchema = z.object({
  status: z.enum(['completed', 'failed', 'terminated']),
  reason: z.string().optional(),
  errorCode: z.string().optional(),
  output: z.json().optional(),
  usage: z.object({ tokens: count, calls: count }).optional(),
})

/** Lets the host's agent work on one task at a time, and holds it to its budget. */
export class AgentRunner {
  readonly #options: AgentRunnerOptions

  constructor(options: AgentRunnerOptions) {
    this.#options = options
  }

  /**
   * `context.stuck` has to know that an agent acts.
   *
   * Rejects only when the attempt itself is over: canceled, timed out. Everything else is an outcome: `MAX_STEPS` when the budget is
   * spent, `STUCK` when it gets nowhere, `AGENT_FAILED` when it throws, `SCHEMA_MISMATCH` when its output does not fit.
   */
  async run(task: AgentTask, context: ActionContext, journal: AgentJournal): Promise<AgentOutcome> {
    const { agent, router, clock, maxObservationChars } = this.#options
    const { signal } = context
    signal.throwIfAborted()
    const fork = forkAbort(signal)
    const stop = (error: ActionError) => fork.abort(error)
    const own = { ...context, signal: fork.signal }
    const sight = new AgentSight({ context: own, clock, maxChars: maxObservationChars })
    const work = new AgentWork({ router, context: own, budget: task.budget, sight, journal, stop })
    const { timeoutMs } = task.budget
    const onTimeout = () => stop(new ActionError(`The agent took longer than ${timeoutMs} ms`, { code: 'MAX_STEPS' }))
    const timer = timeoutMs === undefined ? null : clock.setTimer(onTimeout, timeoutMs)
    try {
      const result = await raceAbort(begin(agent, task, work, fork.signal), fork.signal)
      return this.#outcome(resultSchema.parse(result) as AgentResult, task, context, work)
    } catch (cause) {
      signal.throwIfAborted()
      return failedOutcome(fork.signal.aborted ? (fork.signal.reason as ActionError) : agentFailed(cause, context), work)
    } finally {
      timer?.cancel()
      fork.dispose()
      fork.abort(new ActionError('The task of the agent has ended', { code: 'ACTION_BLOCKED' })) // whatever it left behind acts no more
    }
  }

  #outcome(result: AgentResult, task: AgentTask, { texts }: ActionContext, work: AgentWork): AgentOutcome {
    const output = texts.redact(result.output ?? null)
    const reason = result.reason === undefined ? null : texts.redact(result.reason)
    const errorCode = result.errorCode === undefined ? null : texts.redact(result.errorCode)
    const shared = { output, usage: work.usage(result.usage), stepCount: work.stepCount }
    if (result.status !== 'completed') {
      const meaning = errorCode === null || !Object.hasOwn(task.errorCodeMapping, errorCode) ? null : task.errorCodeMapping[errorCode]
      return { ...shared, status: result.status, errorCode, error: null, reason: reason ?? meaning ?? 'the agent gave no reason' }
    }
    const check = task.schema === null ? { ok: true as const } : validateJson(task.schema, output)
    if (check.ok) return { ...shared, status: 'completed', reason: null, errorCode: null, error: null }
    const mismatches = check.errors.map(({ path, message }) => `${path}: ${message}`).join('; ')
    const error = new ActionError(`The output of the agent does not fit its schema: ${mismatches}`, { code: 'SCHEMA_MISMATCH' })
    return { ...shared, status: 'failed', reason: error.message, errorCode: error.code, error }
  }
}

/** An agent that is no async function may throw at once. */
async function begin(agent: BrowserAgent, task: AgentTask, work: AgentWork, signal: AbortSignal): Promise<AgentResult> {
  return agent.run(task, work.tools, signal)
}

function agentFailed(cause: unknown, { texts }: ActionContext): ActionError {
  const said = cause instanceof z.ZodError ? `it gave no result: ${z.prettifyError(cause)}` : messageOf(cause)
  return new ActionError(texts.redact(`The agent failed: ${said}`), { code: 'AGENT_FAILED', cause })
}

function failedOutcome(error: ActionError, work: AgentWork): AgentOutcome {
  const { message: reason, code: errorCode } = error
  return { status: 'failed', reason, errorCode, output: null, usage: work.usage(undefined), stepCount: work.stepCount, error }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))
