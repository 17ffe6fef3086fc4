import { z } from 'zod'

/** Types of a workflow parameter. */
export const PARAMETER_TYPES = ['string', 'integer', 'float', 'boolean', 'json', 'file_url', 'credential_id'] as const

/** The type of a workflow parameter. */
export type ParameterType = (typeof PARAMETER_TYPES)[number]

/** Names that templates use themselves: no parameter, block label or output may take one. */
export const RESERVED_NAMES: ReadonlySet<string> = new Set([
  'current_item',
  'current_value',
  'current_index',
  'current_date',
  'workflow_title',
  'workflow_id',
  'workflow_permanent_id',
  'workflow_run_id',
  'workflow_run_outputs',
  'workflow_run_summary',
  'browser_session_id',
])

const text = z.string().min(1)

/** A value that whoever starts a run gives. */
export const workflowParameterSchema = z.strictObject({
  kind: z.literal('workflow'),
  /** Identifier; the template variable's name. */
  key: z.string(),
  type: z.enum(PARAMETER_TYPES),
  description: z.string().optional(),
  /** Taken when the run gives none, or null; coerced to `type` when the definition is parsed. Null is no default. */
  default: z.json().optional(),
})

/** A value taken from another parameter or from a block's output. */
export const contextParameterSchema = z.strictObject({
  kind: z.literal('context'),
  key: z.string(),
  /** Dotted path that begins with a parameter's key, `<label>_output` or `<label>`, for example `login_output.extractedInformation.name`. */
  source: text,
  description: z.string().optional(),
})

/** A secret, asked of the credential provider when it is used. */
export const secretParameterSchema = z.strictObject({
  kind: z.literal('secret'),
  key: z.string(),
  /** Which credential provider holds it, for example `env`. */
  provider: text,
  /** Its name there. */
  name: text,
  description: z.string().optional(),
})

/** One declared parameter, told apart by `kind`. */
export const parameterSchema = z.discriminatedUnion('kind', [workflowParameterSchema, contextParameterSchema, secretParameterSchema])

/** A declared parameter. */
export type Parameter = z.infer<typeof parameterSchema>
/** A declared parameter as authors write it. */
export type ParameterInput = z.input<typeof parameterSchema>
/** A declared parameter that whoever starts a run gives. */
export type WorkflowParameter = z.infer<typeof workflowParameterSchema>
/** A declared parameter taken from elsewhere in the run. */
export type ContextParameter = z.infer<typeof contextParameterSchema>
/** A declared secret. */
export type SecretParameter = z.infer<typeof secretParameterSchema>
