import { z } from 'zod'
import type { BlockCommonInput, PlaybookInput, ScopePolicyInput, WorkflowDefinition, WorkflowDefinitionInput } from '../definition/index.js'
import type { Json } from '../errors/index.js'
import { browserAddressSchema, oneBrowser } from './browser-reference.js'

const organizationId = z.string().min(1).optional()
const json = z.json() as unknown as z.ZodType<Json>
/** Checked by its own parser, which knows the public suffixes and the registered guardrails. */
const scopePolicy = z.custom<ScopePolicyInput>((value) => typeof value === 'object' && value !== null, { error: 'expected a policy' })

/** Arguments of `createWorkflow`, with their defaults. */
export const createWorkflowSchema = z.strictObject({
  organizationId,
  title: z.string().min(1).max(500),
  description: z.string().nullable().default(null),
  /** Checked by its own parser, which names every broken rule. */
  definition: z.custom<WorkflowDefinitionInput<BlockCommonInput> | WorkflowDefinition>(
    (value) => typeof value === 'object' && value !== null,
    {
      error: 'expected a definition',
    },
  ),
  isTemplate: z.boolean().default(false),
  /**
   * Whether private browsers of its runs begin with what the last one of the same organisation ended with (cookies, storage), unless the run
   * names a session, a profile or an address.
   */
  persistBrowserSession: z.boolean().default(false),
  /** 1 to 480; null is 240. */
  maxElapsedTimeMinutes: z.number().min(1).max(480).nullable().default(null),
  /** Seconds that the finally block has for itself. */
  finallyTimeoutSeconds: z.number().positive().max(86_400).default(300),
  errorCodeMapping: z.record(z.string(), z.string()).nullable().default(null),
  /** What its runs may do, and where, beside the policy of the engine. */
  scopePolicy: scopePolicy.nullable().default(null),
  /** Playbooks that are stored with it, each as its first version; checked by their own parser. */
  playbooks: z.array(z.custom<PlaybookInput>(() => true)).default([]),
})
/** Arguments of {@link WorkflowEngine.createWorkflow}. */
export type CreateWorkflowParams = z.input<typeof createWorkflowSchema>
export type CreateWorkflowRequest = z.output<typeof createWorkflowSchema>

/** Arguments of `startRun`, with their defaults. */
export const startRunSchema = oneBrowser(
  z.strictObject({
    organizationId,
    workflowPermanentId: z.string().min(1),
    /** The newest version when left out. */
    version: z.number().int().min(1).optional(),
    /** Values of the workflow's parameters by key. */
    parameters: z.record(z.string(), z.unknown()).default({}),
    /** Runs on this session. Without it, a private browser is started when the first block needs one. */
    browserSessionId: z.string().min(1).optional(),
    /** Runs in a private browser that is made from this profile, which stays as it is. Not together with `browserSessionId`. */
    browserProfileId: z.string().min(1).optional(),
    /**
     * DevTools address of a browser that somebody else has started: the run attaches to it and never closes it. Its host must be trusted,
     * as whoever may name an address may drive what answers there. Not together with the others.
     */
    browserAddress: browserAddressSchema.optional(),
    /**
     * Waits for the session that it names while somebody else holds it, at most so many milliseconds (a day at most), instead of failing
     * at once: those that wait go by `priority`, then in order. The wait takes one of the engine's workers.
     */
    wait: z.strictObject({ timeoutMs: z.number().int().min(1).max(86_400_000) }).optional(),
    /** Runs only these blocks, in this order, as a plain list; the finally block runs all the same. */
    blockLabels: z.array(z.string()).min(1, { error: 'expected at least one label' }).optional(),
    /** Outputs of blocks that are not run, by label. */
    blockOutputs: z.record(z.string(), json).optional(),
    /** Most steps of an agent in a block that names no number, 1 to 1,000. Without it, 25. */
    maxSteps: z.int().min(1).max(1_000).optional(),
    /** Higher first. */
    priority: z.number().int().min(-1_000_000).max(1_000_000).default(0),
    /** The same key gives back the same run. */
    idempotencyKey: z.string().min(1).max(500).optional(),
    /** What the run may do, and where, beside the policies of the engine and of the workflow: each of them has to admit an action. */
    scopePolicy: scopePolicy.optional(),
    /** The host's own facts: at most 20 keys of 64 characters, values of 256. */
    runMetadata: z
      .record(z.string().max(64), z.string().max(256))
      .refine((metadata) => Object.keys(metadata).length <= 20, { error: 'expected at most 20 keys' })
      .optional(),
  }),
)
/** Arguments of {@link WorkflowEngine.startRun}. */
export type StartRunParams = z.input<typeof startRunSchema>
export type StartRunRequest = z.output<typeof startRunSchema>

const runStatus = z.enum(['created', 'queued', 'running', 'paused', 'completed', 'failed', 'terminated', 'canceled', 'timed_out'])

/** Arguments of `listRuns`, with their defaults. */
export const listRunsSchema = z.strictObject({
  organizationId,
  /** Only runs with one of these statuses. */
  status: z.array(runStatus).min(1).optional(),
  workflowPermanentId: z.string().min(1).optional(),
  /** Part of the workflow's title or of the run's id, in any case. */
  search: z.string().min(1).optional(),
  errorCode: z.string().min(1).optional(),
  /** Whether runs that other runs started are listed too. */
  includeChildren: z.boolean().default(false),
  /** Keyset paging: the last run of the page before. */
  after: z.string().min(1).optional(),
  limit: z.number().int().min(1).max(1_000).default(50),
})
/** Arguments of {@link WorkflowEngine.listRuns}. */
export type ListRunsParams = z.input<typeof listRunsSchema>
/** The same with every default filled in. */
export type ListRunsRequest = z.output<typeof listRunsSchema>

const id = z.string().min(1)
const signal = z.custom<AbortSignal>((value) => value instanceof AbortSignal, { error: 'expected an AbortSignal' }).optional()

/** Names a run. */
export const runRefSchema = z.strictObject({ organizationId, workflowRunId: id })
/** Names a run. */
export type RunRef = z.input<typeof runRefSchema>

/** Arguments of `waitForRun`. */
export const waitForRunSchema = runRefSchema.extend({
  /** How long to wait, in milliseconds. Without it, as long as the run takes. */
  timeoutMs: z.number().min(0).optional(),
  /** Ends the wait; the run itself goes on. */
  signal,
})
/** Arguments of {@link WorkflowEngine.waitForRun}. */
export type WaitForRunParams = z.input<typeof waitForRunSchema>

/** Arguments of `events`. */
export const runEventsSchema = runRefSchema.extend({
  /** Only events with a greater `seq`. @default 0 */
  after: z.number().int().min(0).optional(),
  /** Ends the iteration: it throws the signal's reason. */
  signal,
})
/** Which run, and from where on. */
export type RunEventsParams = z.input<typeof runEventsSchema>

/** Arguments of `cancel`. */
export const cancelRunSchema = runRefSchema.extend({ /** Who asks. */ by: z.string().min(1).max(500).default('the host') })
/** Which run to cancel, and who asks. */
export type CancelRunParams = z.input<typeof cancelRunSchema>

/** Arguments of `getWorkflow`. */
export const workflowRefSchema = z.strictObject({
  organizationId,
  workflowPermanentId: id,
  /** The newest when left out. */
  version: z.number().int().min(1).optional(),
})
/** Which version of which workflow. */
export type WorkflowRef = z.input<typeof workflowRefSchema>

/** Arguments of `readArtifact`. */
export const artifactRefSchema = z.strictObject({ organizationId, artifactId: id })
/** Which artifact to read. */
export type ArtifactRef = z.input<typeof artifactRefSchema>

/** Arguments of `prune`, with their defaults. */
export const pruneSchema = z.strictObject({
  organizationId,
  /** Only runs that ended before, and private sessions that did. */
  olderThan: z.date(),
  /** Keeps the event streams of what is removed. */
  keepEvents: z.boolean().default(false),
  /** Ends the pruning between two batches; what was removed by then stays so. */
  signal: z.instanceof(AbortSignal).optional(),
})
/** What {@link WorkflowEngine.prune} removes. */
export type PruneParams = z.input<typeof pruneSchema>
