import { z } from 'zod'
import type { BlockCommonInput, BlockDefinition, BlockSchema } from './block-common.js'
import { criteriaSchema } from './criteria.js'
import { stepSchema } from './playbook.js'
import { requireKeys } from './require-keys.js'
import { selectorsSchema } from './selectors.js'

const text = z.string().min(1)

/** Error codes that a goal block may end with, each with its meaning. */
const errorCodeMapping = z.record(z.string().min(1), z.string())

/** The fields that goal blocks share. With `steps` they are performed in order; without, the goal goes to the agent. */
export const goalConfigSchema = z.strictObject({
  /** Opened before the steps; template. */
  url: text.optional(),
  /** For readers; nothing depends on it. */
  title: z.string().optional(),
  /** What is to be reached, for the agent. */
  navigationGoal: text.optional(),
  /** Facts that the agent needs. */
  navigationPayload: z.json().optional(),
  /** Deterministic steps, performed in order without a model: actions, or steps of a playbook around them. */
  steps: z.array(stepSchema).min(1).optional(),
  /** Name of a playbook that is stored with the workflow: its steps are performed, after those of `steps`. */
  playbook: text.optional(),
  /** Values of the playbook's parameters; texts are templates. */
  playbookParameters: z.record(z.string(), z.json()).optional(),
  /** For the agent: when the goal is reached. */
  completeCriterion: text.optional(),
  /** For the agent: when the goal is out of reach. */
  terminateCriterion: text.optional(),
  /** Codes that the block may end with, each with its meaning; wins over the workflow's. */
  errorCodeMapping: errorCodeMapping.optional(),
  /** Most steps of the agent, 1 to 1,000. */
  maxSteps: z.int().min(1).max(1_000).optional(),
  /** For the agent: for whom one-time codes arrive. */
  totpIdentifier: text.optional(),
})

/** Own fields of `goto_url`. */
export const gotoUrlConfigSchema = z.strictObject({
  /** Template or bare parameter key; a missing scheme becomes https. */
  url: text,
})

/** Own fields of `task`: what is read at its end goes to `extractedInformation`. */
export const taskConfigSchema = goalConfigSchema.extend({
  /** Read when the goal is reached, deterministically. Without it, what `extract` steps have read, or what the agent gives. */
  selectors: selectorsSchema.optional(),
  /** JSON Schema that the data must fit. Not a template. */
  schema: z.union([z.record(z.string(), z.json()), z.boolean()]).optional(),
})

/** Own fields of `login`. */
export const loginConfigSchema = goalConfigSchema.extend({
  /** Key of a declared secret parameter. */
  credentialKey: text.optional(),
})

/** Own fields of `file_download`. */
export const fileDownloadConfigSchema = goalConfigSchema.extend({
  /** Name under which the file is saved; template. Without it, the name that the site gives. */
  downloadSuffix: text.optional(),
  /** How long the download may take, in seconds, above 0 up to 3,600. @default 60 */
  downloadTimeoutSeconds: z.number().positive().max(3_600).default(60),
  /** Whether the block completes when nothing was downloaded. @default false */
  continueOnEmpty: z.boolean().default(false),
})

/** Own fields of `extraction`. */
export const extractionConfigSchema = z.strictObject({
  /** Opened first; template. Without it, the page as it is. */
  url: text.optional(),
  /** For readers; nothing depends on it. */
  title: z.string().optional(),
  /** What is to be read, for the agent. */
  dataExtractionGoal: text.optional(),
  /** JSON Schema that the data must fit. Not a template. */
  schema: z.union([z.record(z.string(), z.json()), z.boolean()]).optional(),
  /** What is read, deterministically. */
  selectors: selectorsSchema.optional(),
})

/** A criterion of `validation`: criteria, or a template as a text. */
const criterionSchema = z.union([text.transform((expression) => ({ type: 'jinja2_template' as const, expression })), criteriaSchema])

/** Own fields of `validation`. */
export const validationConfigSchema = requireKeys(
  z.strictObject({
    /** True completes the block. A bare text is a template. */
    completeCriterion: criterionSchema.optional(),
    /** True terminates the block; asked first. A bare text is a template. */
    terminateCriterion: criterionSchema.optional(),
    /** For the agent; criteria that are templates end with codes of their own. */
    errorCodeMapping: errorCodeMapping.optional(),
  }),
  'at least one',
  ['completeCriterion', 'terminateCriterion'],
)

/** One way out of a conditional. */
export const branchSchema = z.strictObject({
  /** Assigned once when the definition is first parsed, and kept over saves. */
  id: text.optional(),
  /** For readers; kept in the output as `branchDescription`. */
  description: z.string().optional(),
  /** Null only for the default branch. */
  criteria: criteriaSchema.nullable().optional(),
  /** Whether the branch is taken when no other matched; at most one. @default false */
  isDefault: z.boolean().default(false),
  /** The branch's first block; null goes to the conditional's own next. */
  nextBlockLabel: z.string().nullable(),
})

/** Own fields of `conditional`. */
export const conditionalConfigSchema = z.strictObject({
  /** At least one; the first whose criteria hold is taken. */
  branches: z.array(branchSchema).min(1),
})

/** Child blocks; each is parsed on its own, so that one bad block does not hide another. */
const loopBlocksSchema = z.array(z.unknown()).min(1)

/** Own fields of `for_loop`: exactly one source of values. */
export const forLoopConfigSchema = requireKeys(
  z.strictObject({
    /** The blocks of one iteration, at least one. */
    loopBlocks: loopBlocksSchema,
    /** Key of the parameter that is looped over. */
    loopOverParameterKey: text.optional(),
    /** Template path of the value that is looped over, with or without braces: `table_output.rows`. */
    loopVariableReference: text.optional(),
    /** Whether nothing to loop over completes the block instead of terminating it. @default false */
    completeIfEmpty: z.boolean().default(false),
  }),
  'exactly one',
  ['loopOverParameterKey', 'loopVariableReference'],
)

/** Own fields of `while_loop`. */
export const whileLoopConfigSchema = z.strictObject({
  /** The blocks of one iteration, at least one. */
  loopBlocks: loopBlocksSchema,
  /** Checked before each iteration. */
  condition: criteriaSchema,
})

/** Own fields of `wait`. */
export const waitConfigSchema = z.strictObject({
  /** Seconds, 1 to 1,800. */
  waitSec: z.number().min(1).max(1_800),
})

/** Own fields of `code`. */
export const codeConfigSchema = requireKeys(
  z.strictObject({
    /** Name of a function that the host registered. */
    handler: text.optional(),
    /** JavaScript for a sandbox, which this version does not have: the block fails with `CODE_NOT_SUPPORTED`. Not a template. */
    code: text.optional(),
  }),
  'exactly one',
  ['handler', 'code'],
)

/** Own fields of `human_interaction`. Its `timeoutSeconds` is the time that people have; the block has no other deadline. */
export const humanInteractionConfigSchema = z.strictObject({
  /** What is to be decided, for whoever decides; template. */
  instructions: text,
  /** What approving is called; template. @default 'Approve' */
  positiveDescriptor: text.default('Approve'),
  /** What rejecting is called; template. @default 'Reject' */
  negativeDescriptor: text.default('Reject'),
  /** How long the run waits for a decision, in seconds, above 0 up to 86,400. @default 7,200 */
  timeoutSeconds: z.number().positive().max(86_400).default(7_200),
  /** Who is to be asked, for the engine's `notifier`; templates. */
  recipients: z.array(text).optional(),
})

/** Own fields of `workflow_trigger`. */
export const workflowTriggerConfigSchema = z
  .strictObject({
    /** The workflow that is run, in its newest version; template. */
    workflowPermanentId: text,
    /** Values of its parameters by key; texts are templates. Or a template that gives such an object: `{{ data_output | tojson }}`. */
    payload: z.union([z.record(z.string(), z.json()), text]).optional(),
    /** Whether the block waits for the end of that run and fails unless it completes. @default true */
    waitForCompletion: z.boolean().default(true),
    /** The session that it runs on; template. Without it, a private browser. */
    browserSessionId: text.optional(),
    /** Whether it runs in the browser of this run, which waits meanwhile. Not together with `browserSessionId`. @default false */
    useParentBrowserSession: z.boolean().default(false),
  })
  .refine(({ useParentBrowserSession, browserSessionId }) => !useParentBrowserSession || browserSessionId === undefined, {
    error: 'expected useParentBrowserSession or browserSessionId, found both',
    path: ['browserSessionId'],
    params: { expected: 'at most one of useParentBrowserSession, browserSessionId' },
  })
  .refine(({ useParentBrowserSession, waitForCompletion }) => !useParentBrowserSession || waitForCompletion, {
    error: 'a run in the browser of its parent has to be waited for: expected waitForCompletion true',
    path: ['waitForCompletion'],
    params: { expected: 'waitForCompletion true beside useParentBrowserSession' },
  })

/** The schemas of the built-in block types' own fields, by type. A host's types go beside them. */
export const builtInBlockSchemas = {
  goto_url: gotoUrlConfigSchema,
  navigation: goalConfigSchema,
  action: goalConfigSchema,
  task: taskConfigSchema,
  login: loginConfigSchema,
  file_download: fileDownloadConfigSchema,
  extraction: extractionConfigSchema,
  validation: validationConfigSchema,
  conditional: conditionalConfigSchema,
  for_loop: forLoopConfigSchema,
  while_loop: whileLoopConfigSchema,
  wait: waitConfigSchema,
  code: codeConfigSchema,
  human_interaction: humanInteractionConfigSchema,
  workflow_trigger: workflowTriggerConfigSchema,
} as const satisfies Readonly<Record<string, BlockSchema>>

type Schemas = typeof builtInBlockSchemas

/** The name of a built-in block type. */
export type BuiltInBlockType = keyof Schemas

/** The children of a loop as authors write them. */
export interface LoopChildrenInput<Custom extends BlockCommonInput = never> {
  loopBlocks: BlockInput<Custom>[]
}

type WithChildren<T, Children> = 'loopBlocks' extends keyof T ? Omit<T, 'loopBlocks'> & Children : T

/** A parsed block of one built-in type, defaults filled in. */
export type BlockOf<T extends BuiltInBlockType> = Omit<BlockDefinition, 'type'> & { type: T } & WithChildren<
    z.output<Schemas[T]>,
    { loopBlocks: BlockDefinition[] }
  >

/** A block of one built-in type as authors write it. */
export type BlockInputOf<T extends BuiltInBlockType, Custom extends BlockCommonInput = never> = Omit<BlockCommonInput, 'type'> & {
  type: T
} & WithChildren<z.input<Schemas[T]>, LoopChildrenInput<Custom>>

/** A parsed block of any built-in type, told apart by `type`. */
export type BuiltInBlock = { [T in BuiltInBlockType]: BlockOf<T> }[BuiltInBlockType]

/** A block as authors write it: a built-in one, or one of the host's `Custom` types. */
export type BlockInput<Custom extends BlockCommonInput = never> =
  | { [T in BuiltInBlockType]: BlockInputOf<T, Custom> }[BuiltInBlockType]
  | Custom

/** One way out of a conditional. */
export type Branch = z.infer<typeof branchSchema>
/** A parsed conditional. */
export type ConditionalBlock = BlockOf<'conditional'>
/** A parsed loop over values. */
export type ForLoopBlock = BlockOf<'for_loop'>
/** A parsed loop over a condition. */
export type WhileLoopBlock = BlockOf<'while_loop'>
/** A block, of whatever type, that holds child blocks. */
export type LoopBlock = BlockDefinition & { loopBlocks: BlockDefinition[] }
/** The fields of goal blocks. */
export type GoalConfig = z.infer<typeof goalConfigSchema>
/** The fields of `task`. */
export type TaskConfig = z.infer<typeof taskConfigSchema>

/** Whether a parsed block is a conditional. */
export function isConditionalBlock(block: BlockDefinition): block is ConditionalBlock {
  return block.type === 'conditional'
}

/** Whether a parsed block holds child blocks: `for_loop`, `while_loop`, or a custom loop. */
export function isLoopBlock(block: BlockDefinition): block is LoopBlock {
  return Array.isArray((block as { loopBlocks?: unknown }).loopBlocks)
}
