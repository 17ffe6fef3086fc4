import { z } from 'zod'
import { type Action, actionOptions, actionSchema, actionSchemas, STEP_FAILURE_MODES, type StepFailureMode } from './actions.js'
import { workflowParameterSchema } from './parameters-schema.js'
import { requireKeys } from './require-keys.js'

const text = z.string().min(1)
const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/

/** The fields of a step beside what it does. */
const stepCommon = {
  /**
   * What follows when the step fails: the list ends (`abort`), goes on (`continue`), the step is made again and, where its element is
   * not found, by the other ways to find it (`retry`), and after that handed to the agent (`agent`). @default 'retry'
   */
  onFailure: z.enum(STEP_FAILURE_MODES).default('retry'),
  /** How often it is made again, 0 to 10; with `retry` and `agent` only. @default 1 */
  retries: z.int().min(0).max(10).default(1),
  /** Pause before each repetition, in milliseconds, 0 to 60,000. @default 0 */
  delayMs: z.int().min(0).max(60_000).default(0),
  /** Whether it may be made again when it is unknown if it took effect. Without it, by the action's type. */
  idempotent: z.boolean().optional(),
  /** What must hold after it: an `assert` action without its `type`. One that does not makes the step a failed one. */
  assert: z
    .record(z.string(), z.json())
    .transform((fields, context) => {
      const parsed = actionSchemas.assert.safeParse({ ...fields, type: 'assert' })
      if (parsed.success) return parsed.data
      for (const issue of parsed.error.issues) context.addIssue({ code: 'custom', message: issue.message, path: issue.path as string[] })
      return z.NEVER
    })
    .optional(),
}

/** A step that wraps an action, or calls another playbook of the same workflow. */
export const playbookStepSchema = requireKeys(
  z.strictObject({
    /** Keeps plain actions, which have a `type`, apart from steps. */
    type: z.undefined().optional(),
    /** The action to perform. */
    action: actionSchema.optional(),
    /** Name of a playbook of the same workflow; nested at most 10 deep. */
    playbook: text.optional(),
    /** Values of that playbook's parameters; texts are templates. */
    parameters: z.record(z.string(), z.json()).optional(),
    ...stepCommon,
  }),
  'exactly one',
  ['action', 'playbook'],
)

/** A step with what is done when it fails. */
export type PlaybookStep = z.output<typeof playbookStepSchema>

/** One entry of a list of steps: an action, or a step around one. */
export const stepSchema = z.discriminatedUnion('type', [...actionOptions, playbookStepSchema])
/** A parsed entry of a list of steps. */
export type StepEntry = Action | PlaybookStep
/** The same as authors write it. */
export type StepInput = z.input<typeof stepSchema>

/** A named, parameterised list of steps, stored with a workflow. */
export const playbookSchema = z.strictObject({
  /** Identifier, unique within its workflow. */
  name: z.string().regex(identifier, { error: 'expected an identifier' }).max(100),
  /** For readers. */
  description: z.string().max(2_000).optional(),
  /** Templates in its steps see these under their keys, beside everything that the block sees. */
  parameters: z.array(workflowParameterSchema).default([]),
  steps: z.array(stepSchema).min(1),
})

/** A parsed playbook. */
export type Playbook = z.output<typeof playbookSchema>
/** A playbook as authors write it. */
export type PlaybookInput = z.input<typeof playbookSchema>

/** How deep playbooks may call each other. */
export const MAX_PLAYBOOK_DEPTH = 10

/** A step, whichever way it was written. */
export interface Step {
  /** Exactly one of `action` and `playbook` is set. */
  readonly action: Action | null
  readonly playbook: { readonly name: string; readonly parameters: Readonly<Record<string, unknown>> } | null
  readonly onFailure: StepFailureMode
  readonly retries: number
  readonly delayMs: number
  readonly idempotent: boolean | null
  readonly assert: Extract<Action, { type: 'assert' }> | null
}

/** One shape for both ways to write a step. A plain action aborts its list unless it says otherwise. */
export function toStep(entry: StepEntry): Step {
  if ('type' in entry && entry.type !== undefined) {
    const { onFailure, idempotent } = entry
    return { action: entry, playbook: null, onFailure, retries: 1, delayMs: 0, idempotent: idempotent ?? null, assert: null }
  }
  const { action, playbook, parameters, onFailure, retries, delayMs, idempotent, assert } = entry as PlaybookStep
  return {
    action: action ?? null,
    playbook: playbook === undefined ? null : { name: playbook, parameters: parameters ?? {} },
    onFailure,
    retries,
    delayMs,
    idempotent: idempotent ?? action?.idempotent ?? null,
    assert: assert ?? null,
  }
}
