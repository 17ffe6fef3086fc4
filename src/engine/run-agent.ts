import {
  type ActionContext,
  type ActionTexts,
  type AgentJournal,
  type AgentOutcome,
  type AgentTask,
  DEFAULT_AGENT_STEPS,
  type Recovery,
  type StepRecorder,
} from '../actions/index.js'
import type { AgentGoal } from '../blocks/index.js'
import type { BlockDefinition } from '../definition/index.js'
import { AgentRequiredError, type Json } from '../errors/index.js'
import { attemptActions } from './attempt-actions.js'
import type { BlockEntry } from './block-journal.js'
import type { AttemptIntents } from './run-intent.js'
import { type RunState, summedUsage } from './run-state.js'

export interface RunAgentParams {
  readonly state: RunState
  readonly block: BlockDefinition
  readonly entry: BlockEntry
  readonly signal: AbortSignal
  readonly dryRun?: boolean
  /** Rendered; secrets in it are references. */
  readonly request: Partial<Omit<AgentTask, 'budget'>> & { readonly goal: string; readonly maxSteps?: number | undefined }
  /** Called for each action that is recorded. */
  readonly onRecord: () => void
  /** Writes down what the attempt is about to do. */
  readonly intents?: AttemptIntents | undefined
  /** Place of the next action among those of the block attempt. */
  readonly nextStepIndex: () => number
  /** Takes each action as a step of its own. Without it, they belong to `stepId`. */
  readonly recorder?: StepRecorder | undefined
  /** Order of its first step. @default 0 */
  readonly firstStep?: number
  /** The one step that all of it is. */
  readonly stepId?: string | null
  readonly recovery?: Recovery | null
}

/** Has the engine's agent work on a goal, within one block attempt. @throws {AgentRequiredError} `AGENT_REQUIRED` */
export async function runAgent(params: RunAgentParams): Promise<AgentOutcome> {
  const { state, block, request } = params
  const { agent } = state.environment
  if (agent === null) throw new AgentRequiredError(`Block "${block.label}"`)
  const actions = attemptActions({ ...params, byAgent: true })
  const context: ActionContext = {
    ...actions,
    dryRun: actions.dryRun || params.dryRun === true,
    texts: agentTexts(actions.texts, secretsOf(state, block)),
  }
  const outcome = await agent.run(taskOf(state, request), context, journalOf(params, context))
  state.usage = summedUsage(state.usage, outcome.usage)
  state.journal.stageRun({ usage: state.usage }) // so that whoever takes the run over knows of it
  return outcome
}

/** A goal with its templates rendered; secrets come out as references. Pure, but for what `render` looks up. */
export function renderGoal(goal: AgentGoal, render: (template: string) => string): RunAgentParams['request'] {
  const { payload, url, completeCriterion, terminateCriterion, schema, errorCodeMapping, maxSteps } = goal
  const rendered = (text: string | undefined) => (text === undefined ? null : render(text))
  return {
    goal: render(goal.goal),
    url: rendered(url),
    payload: payload === undefined ? null : mapTexts(payload, render),
    completeCriterion: rendered(completeCriterion),
    terminateCriterion: rendered(terminateCriterion),
    schema: schema ?? null,
    errorCodeMapping: errorCodeMapping ?? {},
    maxSteps,
  }
}

function mapTexts(value: Json, map: (text: string) => string): Json {
  if (typeof value === 'string') return map(value)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item: Json) => mapTexts(item, map))
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTexts(item as Json, map)]))
}

/** What the agent is told: without secrets, which stand in it as placeholders. */
function taskOf(state: RunState, request: RunAgentParams['request']): AgentTask {
  const { maxSteps, payload, url, completeCriterion, terminateCriterion, schema, errorCodeMapping, goal } = request
  const shown = state.secrets.redact({
    goal,
    payload: payload ?? null,
    url: url ?? null,
    completeCriterion: completeCriterion ?? null,
    terminateCriterion: terminateCriterion ?? null,
  }) as Pick<AgentTask, 'goal' | 'payload' | 'url' | 'completeCriterion' | 'terminateCriterion'>
  const budget = { maxSteps: maxSteps ?? state.run.maxSteps ?? DEFAULT_AGENT_STEPS }
  return { ...shown, schema: schema ?? null, errorCodeMapping: errorCodeMapping ?? {}, budget }
}

/** The secrets that a block has declared: those it may type, and no others. */
function secretsOf({ secrets }: RunState, block: BlockDefinition): ReadonlySet<string> {
  const { credentialKey } = block as { readonly credentialKey?: string }
  const declared = [...(block.parameterKeys ?? []), ...(credentialKey === undefined ? [] : [credentialKey])]
  return new Set(declared.filter((key) => secrets.variables.has(key)))
}

const PLACEHOLDER = /\{\{\s*([A-Za-z_][A-Za-z0-9_]*)(?:\.(?:username|password|totp))?\s*\}\}/g

/**
 * The texts of an agent: literal, as they may come from a page, but for placeholders of the block's own secrets. They are rendered one by
 * one, so that only references of our own making are resolved. Pure.
 */
export function agentTexts(texts: ActionTexts, keys: ReadonlySet<string>): ActionTexts {
  return {
    ...texts,
    render: (text) => text.replaceAll(PLACEHOLDER, (placeholder, key: string) => (keys.has(key) ? texts.render(placeholder) : placeholder)),
    sourceOf: () => null,
  }
}

function journalOf(params: RunAgentParams, { texts }: ActionContext): AgentJournal {
  const { recorder, nextStepIndex, stepId = null, recovery = null } = params
  let order = params.firstStep ?? 0
  return {
    begin: () => ({ stepIndex: nextStepIndex(), stepId: recorder?.nextStepId() ?? stepId, recovery }),
    end: (place, { status, value }, tokens) => {
      if (recorder === undefined || place.stepId == null) return
      const record = { stepId: place.stepId, order: order++, retryIndex: 0, recovery, playbook: null, tokens }
      recorder.record({ ...record, status: status === 'blocked' ? 'failed' : status, output: texts.redact(value as Json) })
    },
  }
}
