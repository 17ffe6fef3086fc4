import { z } from 'zod'
import { extractionConfigSchema, goalConfigSchema, type StepInput } from '../definition/index.js'
import { browserAddressSchema, oneBrowser, pageAddressSchema } from './browser-reference.js'
import { startRunSchema } from './engine-params.js'

const goal = goalConfigSchema.shape
const run = startRunSchema.shape

/** Arguments that tasks and single actions have in common, with their defaults. */
export const ownRunShape = {
  organizationId: run.organizationId,
  /** Runs on this session. Without it, a private browser is started. */
  browserSessionId: run.browserSessionId,
  /** DevTools address of a browser that somebody else has started, see `startRun`. */
  browserAddress: browserAddressSchema.optional(),
  /** Only checks what would be done: gate, scope and targets. Nothing is done to a page. */
  dryRun: z.boolean().default(false),
  /** What it may do and where, beside the policies of the engine. */
  scopePolicy: run.scopePolicy,
}

/** Arguments of `runTask`, with their defaults. */
export const runTaskSchema = oneBrowser(
  z.strictObject({
    ...ownRunShape,
    /** For readers. */
    title: z.string().min(1).max(500).default('Task'),
    /** Opened first; template. Without it, the page as it is. */
    url: pageAddressSchema.optional(),
    /** What is to be reached; without `steps`, by the engine's agent. */
    navigationGoal: goal.navigationGoal,
    /** Facts that the agent needs. */
    navigationPayload: goal.navigationPayload,
    /** Performed in order, without a model; texts are templates. Checked by the parser of definitions, which names every broken rule. */
    steps: z.custom<readonly StepInput[]>((value) => Array.isArray(value), { error: 'expected a list of steps' }).optional(),
    completeCriterion: goal.completeCriterion,
    terminateCriterion: goal.terminateCriterion,
    errorCodeMapping: goal.errorCodeMapping,
    /** What is read at the end, into the result's `extractedInformation`. */
    extraction: z
      .strictObject({
        /** What is to be read, for the agent; without `selectors`. */
        dataExtractionGoal: extractionConfigSchema.shape.dataExtractionGoal,
        selectors: extractionConfigSchema.shape.selectors,
        /** JSON Schema that the data must fit; else the task fails with `SCHEMA_MISMATCH`. */
        schema: extractionConfigSchema.shape.schema,
      })
      .optional(),
    /** Most steps of the agent, 1 to 1,000. @default 25 */
    maxSteps: goal.maxSteps,
    /** For the agent: for whom one-time codes arrive. */
    totpIdentifier: goal.totpIdentifier,
    priority: run.priority,
    idempotencyKey: run.idempotencyKey,
    runMetadata: run.runMetadata,
  }),
)
/** Arguments of {@link WorkflowEngine.runTask}. */
export type RunTaskParams = z.input<typeof runTaskSchema>
/** The same with every default filled in. */
export type RunTaskRequest = z.output<typeof runTaskSchema>
