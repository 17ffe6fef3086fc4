import { z } from 'zod'
import { ACTION_TYPES, type Action, type ActionInput, type ActionType, actionSchema } from '../definition/index.js'
import { InvalidArgumentError, type Json, parseArgument } from '../errors/index.js'
import { oneBrowser, pageAddressSchema } from './browser-reference.js'
import { ownRunShape } from './task-params.js'

const prompt = z.string().min(1).max(10_000)
const common = {
  /** What is to be done, or read, in words. */
  prompt,
  /** Most steps of the agent, 1 to 1,000. @default 25 */
  maxSteps: z.int().min(1).max(1_000).optional(),
  /** For readers. */
  intention: z.string().min(1).optional(),
}
/** JSON Schema that the answer must fit. */
const schema = z.union([z.record(z.string(), z.json()), z.boolean()]).optional()

/** The actions that only an agent can do, with their own fields. */
export const agentActionSchemas = {
  ai_click: z.strictObject({ type: z.literal('ai_click'), ...common }),
  ai_input_text: z.strictObject({ type: z.literal('ai_input_text'), ...common, /** The text. */ value: z.string() }),
  ai_select_option: z.strictObject({ type: z.literal('ai_select_option'), ...common, /** The option. */ value: z.string() }),
  ai_upload_file: z.strictObject({
    type: z.literal('ai_upload_file'),
    ...common,
    /** Artifact id or data address. */
    file: z.string().min(1),
  }),
  ai_act: z.strictObject({ type: z.literal('ai_act'), ...common }),
  extract: z.strictObject({ type: z.literal('extract'), ...common, schema }),
  locate_element: z.strictObject({ type: z.literal('locate_element'), ...common }),
  validate: z.strictObject({ type: z.literal('validate'), ...common }),
  prompt: z.strictObject({ type: z.literal('prompt'), ...common, schema }),
} as const

/** The name of an action that only an agent can do. */
export type AgentActionType = keyof typeof agentActionSchemas
/** An action that only an agent can do, as authors write it; `extract` and `locate_element` with a `prompt` are such. */
export type AgentActionInput = { [T in AgentActionType]: z.input<(typeof agentActionSchemas)[T]> }[AgentActionType]
/** The same, parsed. */
export type AgentAction = { [T in AgentActionType]: z.output<(typeof agentActionSchemas)[T]> }[AgentActionType]

/** What `runAction` performs: any deterministic action, or one for the agent. */
export type SingleActionInput = ActionInput | AgentActionInput

/** A parsed single action. */
export type SingleAction =
  | { readonly kind: 'deterministic'; readonly action: Action }
  | { readonly kind: 'agent'; readonly action: AgentAction }

/** Arguments of `runAction`, with their defaults. */
export const runActionSchema = oneBrowser(
  z.strictObject({
    ...ownRunShape,
    /** Its texts are taken as they are: they are no templates. Checked by its own parser. */
    action: z.custom<SingleActionInput>(
      (value) => typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string',
      {
        error: 'expected an action, an object with a type',
      },
    ),
    /** Opened first. Without it, the page as it is. */
    url: pageAddressSchema.optional(),
    /** Performed in this run, which must be running on this host and have a browser: under its lease and its scope, recorded in it. */
    workflowRunId: z.string().min(1).optional(),
    /** Deadline of the action, in milliseconds, 1 to 3,600,000; wins over the action's own. */
    timeoutMs: z.int().min(1).max(3_600_000).optional(),
    /** An abort cancels the action, and its run where that is its own: the call resolves as `canceled`. */
    signal: z.custom<AbortSignal>((value) => value instanceof AbortSignal, { error: 'expected an AbortSignal' }).optional(),
  }),
)
/** Arguments of {@link WorkflowEngine.runAction}. */
export type RunActionParams = z.input<typeof runActionSchema>
/** The same with every default filled in. */
export type RunActionRequest = z.output<typeof runActionSchema>

/**
 * Reads the action of a call. Pure.
 * @throws {InvalidArgumentError} `INVALID_ARGUMENT`
 */
export function parseSingleAction({ action: input, timeoutMs }: Pick<RunActionRequest, 'action' | 'timeoutMs'>): SingleAction {
  const { type } = input
  if (isAgentType(type) && (!isActionType(type) || 'prompt' in input)) {
    return { kind: 'agent', action: parseArgument(agentActionSchemas[type], input, 'runAction: action') as AgentAction }
  }
  if (!isActionType(type)) throw unknownType(type)
  const action = parseArgument(actionSchema, input, 'runAction: action')
  return { kind: 'deterministic', action: timeoutMs === undefined ? action : { ...action, timeoutMs } }
}

const isAgentType = (type: string): type is AgentActionType => Object.hasOwn(agentActionSchemas, type)
const isActionType = (type: string): type is ActionType => (ACTION_TYPES as readonly string[]).includes(type)

function unknownType(type: string): InvalidArgumentError {
  const known = [...new Set([...ACTION_TYPES, ...Object.keys(agentActionSchemas)])].join(', ')
  return new InvalidArgumentError(`runAction: action.type: "${type}" is no action type; known: ${known}`, {
    path: 'action.type',
    expected: known,
    received: type,
  })
}

/** What an agent is asked for by an action. */
export interface AgentErrand {
  readonly goal: string
  readonly payload: Json
  readonly schema: Readonly<Record<string, Json>> | boolean | null
}

const TARGET_SCHEMA = { type: 'object', minProperties: 1 } as const

/** The goal of an action for the agent. Pure. */
export function errandOf(action: AgentAction): AgentErrand {
  const { prompt: words } = action
  switch (action.type) {
    case 'ai_click':
      return { goal: `Click this element, once: ${words}`, payload: null, schema: null }
    case 'ai_input_text':
      return { goal: `Type the value into this field: ${words}`, payload: { value: action.value }, schema: null }
    case 'ai_select_option':
      return { goal: `Select the option named by the value: ${words}`, payload: { value: action.value }, schema: null }
    case 'ai_upload_file':
      return { goal: `Upload the file: ${words}`, payload: { file: action.file }, schema: null }
    case 'ai_act':
      return { goal: words, payload: null, schema: null }
    case 'extract':
      return { goal: `Read from the page, without changing it: ${words}`, payload: null, schema: action.schema ?? null }
    case 'locate_element':
      return { goal: `Name a target of this element, without touching it: ${words}`, payload: null, schema: TARGET_SCHEMA }
    case 'validate':
      return { goal: `Say whether this holds, without changing the page: ${words}`, payload: null, schema: { type: 'boolean' } }
    case 'prompt':
      return { goal: words, payload: null, schema: action.schema ?? null }
  }
}
