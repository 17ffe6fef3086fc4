import type { AgentResult, AgentTask, AgentTools, BrowserAgent } from '../actions/agent/index.js'
import type { ActionResult } from '../actions/index.js'
import type { ActionInput } from '../definition/index.js'
import type { PageObservation } from '../sessions/ports.js'

/** What a scripted agent does next: an action, or how it ends. */
export type ScriptedMove = ActionInput | AgentResult

/** What a function of a scripted agent decides on. */
export interface ScriptedTurn {
  readonly task: AgentTask
  /** What became of its actions so far, oldest first. */
  readonly results: readonly ActionResult[]
  readonly tools: AgentTools
  readonly signal: AbortSignal
}

/** Decides on the next move from what the page shows; `'done'` is `{ status: 'completed' }`. */
export type ScriptedDecision = (observation: PageObservation, turn: ScriptedTurn) => ScriptedMove | 'done' | Promise<ScriptedMove | 'done'>

/**
 * An agent without a model, for tests: it plays a list, or asks a function before each action, and keeps what it was asked and what it
 * saw.
 *
 * A list is played from its beginning for each task; the first action that does not complete ends it as failed. After the last action the
 * task is completed, unless the list ends with a result.
 *
 * @example
 * ```ts
 * const agent = scriptedAgent([{ type: 'click', target: { role: 'button', name: 'Pay' } }])
 * const engine = new WorkflowEngine({ storage, sessions, agent })
 * const run = await engine.runTask({ organizationId: 'acme', url: 'https://shop.test/', navigationGoal: 'Pay' })
 * await run.result()
 * agent.tasks[0]?.goal // 'Pay'
 *
 * scriptedAgent((page) => (page.snapshot.includes('Paid') ? 'done' : { type: 'click', target: { css: '#pay' } }))
 * ```
 */
export class ScriptedAgent implements BrowserAgent {
  /** Every task that it was given, oldest first. */
  readonly tasks: AgentTask[] = []
  /** Every observation that it made for its function, oldest first. */
  readonly observations: PageObservation[] = []
  /** What became of its actions, of all tasks, oldest first. */
  readonly results: ActionResult[] = []
  readonly #script: readonly ScriptedMove[] | ScriptedDecision

  constructor(script: readonly ScriptedMove[] | ScriptedDecision) {
    this.#script = script
  }

  async run(task: AgentTask, tools: AgentTools, signal: AbortSignal): Promise<AgentResult> {
    this.tasks.push(task)
    const results: ActionResult[] = []
    for (let index = 0; ; index++) {
      const move = await this.#next(index, { task, results, tools, signal })
      if (move === 'done') return { status: 'completed' }
      if ('status' in move) return move
      const result = await tools.perform(move)
      results.push(result)
      this.results.push(result)
      if (typeof this.#script !== 'function' && result.error !== null) return { status: 'failed', reason: result.error.message }
    }
  }

  async #next(index: number, turn: ScriptedTurn): Promise<ScriptedMove | 'done'> {
    if (typeof this.#script !== 'function') return this.#script[index] ?? 'done'
    const observation = await turn.tools.observe()
    this.observations.push(observation)
    return this.#script(observation, turn)
  }
}

/** Makes a {@link ScriptedAgent}. */
export function scriptedAgent(script: readonly ScriptedMove[] | ScriptedDecision): ScriptedAgent {
  return new ScriptedAgent(script)
}
