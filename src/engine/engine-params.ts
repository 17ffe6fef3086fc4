import { z } from 'zod'
import type { BlockCommonInput, PlaybookInput, ScopePolicyInput, WorkflowDefinition, WorkflowDefinitionInput } from '../definition/index.js'
import type { Json } from '../errors/index.js'
import { browserAddressSchema, oneBrowser } from './browser-reference.js'
import { withoutDefaults } from './without-defaults.js'

/** Where results are delivered: http or https. Whether its host may be reached is checked when it is. */
const webhookUrl = z.url({ protocol: /^https?$/ }).max(2_000)
/** Headers of every request of a browser, as `sessions.create` takes them. */
const extraHttpHeaders = z.record(z.string().min(1).max(200), z.string().max(8_000))

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
  /** Whether its runs wait for each other: one at a time, in the order they were queued, over all processes that share the storage. */
  runSequentially: z.boolean().default(false),
  /** A template over the parameters: runs of the same organisation in which it gives the same text wait for each other. Null: none do. */
  sequentialKey: z.string().min(1).max(500).nullable().default(null),
  /**
   * What becomes of a run whose host is lost: it fails (`HOST_LOST`), or another host goes on with it, from the first block that had not
   * ended.
   */
  onHostLost: z.enum(['fail', 'resume']).default('fail'),
  /** Whether time in which a run waits for people counts against `maxElapsedTimeMinutes`. */
  pauseCounts: z.boolean().default(false),
  /** Where the results of its runs are delivered, unless a run names another place. */
  webhookCallbackUrl: webhookUrl.nullable().default(null),
  /** Name of the proxy of its private browsers, as the pool's `ProxyProvider` knows it, unless a run names another. */
  proxyLocation: z.string().min(1).max(200).nullable().default(null),
  /** Headers of every request of its private browsers, unless a run names others. */
  extraHttpHeaders: extraHttpHeaders.nullable().default(null),
  /** For one-time codes that come by message, unless a run names another. */
  totpIdentifier: z.string().min(1).max(500).nullable().default(null),
  /** Playbooks that are stored with it, each as its first version; checked by their own parser. */
  playbooks: z.array(z.custom<PlaybookInput>(() => true)).default([]),
})
/** Arguments of {@link WorkflowEngine.createWorkflow}. */
export type CreateWorkflowParams = z.input<typeof createWorkflowSchema>
export type CreateWorkflowRequest = z.output<typeof createWorkflowSchema>

const { playbooks: _, organizationId: __, ...settings } = createWorkflowSchema.shape

/** Arguments of `updateWorkflow`: what is left out stays as it is. */
export const updateWorkflowSchema = z.strictObject({
  organizationId,
  workflowPermanentId: z.string().min(1),
  /** The version that the change was made from: where there is a newer one by now, the update is refused. Without it, the newest is changed. */
  expectedVersion: z.number().int().min(1).optional(),
  ...withoutDefaults(settings),
})
/** Arguments of {@link WorkflowEngine.updateWorkflow}. */
export type UpdateWorkflowParams = z.input<typeof updateWorkflowSchema>
export type UpdateWorkflowRequest = z.output<typeof updateWorkflowSchema>

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
     * at once. Runs that wait for one session go one after another, in the order they were queued, and take no worker meanwhile.
     */
    wait: z.strictObject({ timeoutMs: z.number().int().min(1).max(86_400_000) }).optional(),
    /** Runs only these blocks, in this order, as a plain list; the finally block runs all the same. */
    blockLabels: z.array(z.string()).min(1, { error: 'expected at least one label' }).optional(),
    /** Outputs of blocks that are not run, by label. */
    blockOutputs: z.record(z.string(), json).optional(),
    /** Most steps of an agent in a block that names no number, 1 to 1,000. Without it, 25. */
    maxSteps: z.int().min(1).max(1_000).optional(),
    /** A run of the same organisation that must have completed before this one begins; when it ends otherwise, this one fails (`DEPENDENCY_FAILED`). */
    dependsOnWorkflowRunId: z.string().min(1).optional(),
    /** Where the result is delivered, instead of where the workflow says; null: nowhere. */
    webhookCallbackUrl: webhookUrl.nullable().optional(),
    /** Name of the proxy of its private browser, instead of the workflow's; null: none. */
    proxyLocation: z.string().min(1).max(200).nullable().optional(),
    /** Headers of every request of its private browser, instead of the workflow's; null: none. */
    extraHttpHeaders: extraHttpHeaders.nullable().optional(),
    /** For one-time codes that come by message, instead of the workflow's; null: none. */
    totpIdentifier: z.string().min(1).max(500).nullable().optional(),
    /** The host's own id of the request. */
    requestId: z.string().min(1).max(500).optional(),
    /** Higher first. */
    priority: z.number().int().min(-1_000_000).max(1_000_000).default(0),
    /** The same key gives back the same run. One that begins with `run_block:` is refused: child runs have such. */
    idempotencyKey: z
      .string()
      .min(1)
      .max(500)
      .refine((key) => !key.startsWith('run_block:'), { error: 'expected a key that does not begin with "run_block:"' })
      .optional(),
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

/** Options of a handle's `result`. */
export const waitOptionsSchema = z.strictObject({
  /** How long to wait, in milliseconds. Without it, as long as the run takes. */
  timeoutMs: z.number().min(0).optional(),
  /** Ends the wait; the run itself goes on. */
  signal,
})
/** Arguments of `waitForRun`. */
export const waitForRunSchema = runRefSchema.extend(waitOptionsSchema.shape)
/** Arguments of {@link WorkflowEngine.waitForRun}. */
export type WaitForRunParams = z.input<typeof waitForRunSchema>

/** Arguments of `events`. */
export const runEventsSchema = runRefSchema.extend({
  /** Only events with a greater `seq`. @default 0 */
  after: z.number().int().min(0).optional(),
  /** Whether events that come after the final one are read, too: those of the run's webhook. The iteration ends with the delivery then. @default false */
  includeAfterFinal: z.boolean().optional(),
  /** Ends the iteration: it throws the signal's reason. */
  signal,
})
/** Which run, and from where on. */
export type RunEventsParams = z.input<typeof runEventsSchema>

/** Arguments of `cancel`. */
export const cancelRunSchema = runRefSchema.extend({ /** Who asks. */ by: z.string().min(1).max(500).default('the host') })
/** Which run to cancel, and who asks. */
export type CancelRunParams = z.input<typeof cancelRunSchema>

/** Arguments of `resume`. */
export const resumeRunSchema = runRefSchema.extend({
  /** The token of the pause, from `run.paused` or `getRun`. Without it, the present pause is answered, whichever it is. */
  resumeToken: z.string().min(1).optional(),
  /** `reject` fails the block. */
  decision: z.enum(['approve', 'reject']),
  /** Becomes the block's `data`. */
  data: json.optional(),
  /** Who decided. */
  by: z.string().min(1).max(500).default('the host'),
})
/** What was decided about a paused run. */
export type ResumeRunParams = z.input<typeof resumeRunSchema>
export type ResumeRunRequest = z.output<typeof resumeRunSchema>

/** Arguments of `stop`. */
export const stopSchema = z.strictObject({
  /** Whether running runs may finish. @default true */
  graceful: z.boolean().optional(),
  /** For how long, in milliseconds. @default 30,000 */
  timeoutMs: z
    .number()
    .min(0)
    .max(2 ** 31 - 1)
    .optional(),
})

/** Names a session whose runs are asked for. */
export const lastRunForSessionSchema = z.strictObject({ organizationId, browserSessionId: id })
/** Names a session whose runs are asked for. */
export type LastRunForSessionParams = z.input<typeof lastRunForSessionSchema>

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
