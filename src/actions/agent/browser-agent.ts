import type { ActionInput } from '../../definition/index.js'
import type { Json } from '../../errors/index.js'
import type { PageObservation } from '../../sessions/ports.js'
import type { ActionResult } from '../action-result.js'

/** How much an agent may spend on one task. */
export interface AgentBudget {
  /** Most calls of `perform`. */
  readonly maxSteps: number
  /** Most tokens of its models, as reported by `reportUsage`; left out: no limit. */
  readonly maxTokens?: number
  /** Longest time, in milliseconds; left out: as long as its block may take. */
  readonly timeoutMs?: number
}

/** What an agent is asked for. Every text is rendered; a secret stands in it as `{{ KEY.password }}`, never as its value. */
export interface AgentTask {
  /** What is to be reached, in the author's words. */
  readonly goal: string
  /** Facts that it needs; null: none. */
  readonly payload: Json
  /** Where the work begins: the page is open already. Null: at the page as it is. */
  readonly url: string | null
  /** When the goal is reached; null: the goal says so itself. */
  readonly completeCriterion: string | null
  /** When the goal is out of reach; null: not said. */
  readonly terminateCriterion: string | null
  /** JSON Schema that `output` must fit; null: no output is asked for, or any will do. */
  readonly schema: Readonly<Record<string, Json>> | boolean | null
  /** Codes that it may end with, each with its meaning. */
  readonly errorCodeMapping: Readonly<Record<string, string>>
  readonly budget: AgentBudget
}

/** What an agent's models used. */
export interface AgentUsage {
  readonly tokens: number
  /** Calls of a model. */
  readonly calls: number
}

/** One tab as an agent sees it. */
export interface AgentTab {
  /** As `switch_tab` and `close_tab` take it. */
  readonly index: number
  readonly url: string
  readonly title: string
  readonly isActive: boolean
}

/**
 * What an agent acts with. Everything passes the same checks as an author's steps: scope, blinders, stop gate, recording. Once the task
 * has ended (result, budget, abort) every call rejects.
 */
export interface AgentTools {
  /**
   * Performs one action: a step of the budget. Its texts are taken as they are, except that `{{ KEY }}`, `{{ KEY.username }}`,
   * `{{ KEY.password }}` and `{{ KEY.totp }}` of a secret that the block declares (`parameterKeys`, `credentialKey`) stand for its value. A
   * failure is a result, too.
   * @throws {InvalidArgumentError} `INVALID_ARGUMENT` for what is no action; it counts as a step
   * @throws {ActionError} `MAX_STEPS` when the budget is spent, `ACTION_BLOCKED` after the end
   */
  perform(action: ActionInput): Promise<ActionResult>
  /**
   * The active page as text, of at most `maxObservationChars` (an option of the engine), secrets replaced.
   * @throws {ActionError} `ACTION_BLOCKED` for a page outside the scope, or after the end
   */
  observe(): Promise<PageObservation>
  /** The open tabs, oldest first. */
  tabs(): Promise<readonly AgentTab[]>
  /** Address of the active page; null: none is open. */
  url(): Promise<string | null>
  /** Calls of `perform` that are left. */
  readonly stepsLeft: number
  /** Counts what a model used for the step that comes next; beyond `maxTokens` the task ends with `MAX_STEPS`. */
  reportUsage(usage: AgentUsage): void
}

/** How an agent ended. */
export interface AgentResult {
  /** `terminated`: it ended early on purpose, as the goal is out of reach. */
  readonly status: 'completed' | 'failed' | 'terminated'
  /** Why it did not complete. */
  readonly reason?: string
  /** One of the codes of `errorCodeMapping`. */
  readonly errorCode?: string
  /** What was asked for by `schema`. */
  readonly output?: Json
  /** Everything that its models used, what was reported meanwhile included. */
  readonly usage?: AgentUsage
}

/**
 * Port to whatever reaches goals on pages without being told each step. It works through `tools` only, and stops when `signal` aborts:
 * its budget is spent, it was stopped as stuck, the run was canceled. What it does after that has no effect.
 *
 * @example
 * ```ts
 * const agent: BrowserAgent = {
 *   async run(task, tools) {
 *     const { snapshot } = await tools.observe()
 *     if (!snapshot.includes('Sign in')) return { status: 'completed' }
 *     await tools.perform({ type: 'click', target: { role: 'button', name: 'Sign in' } })
 *     return { status: 'completed' }
 *   },
 * }
 * ```
 */
export interface BrowserAgent {
  run(task: AgentTask, tools: AgentTools, signal: AbortSignal): Promise<AgentResult>
}
