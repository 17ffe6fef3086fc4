import { z } from 'zod'
import { type BrowserAgent, DEFAULT_OBSERVATION_CHARS, type Guardrail } from '../actions/index.js'
import type { BlockType } from '../blocks/index.js'
import type { ListenerErrorHandler } from '../events/index.js'
import { type Clock, type Ids, type Logger, type Meter, silentLogger, systemClock } from '../runtime/index.js'
import { type ArtifactStore, MemoryArtifactStore, type Storage } from '../storage/index.js'
import type { CredentialProvider } from './credentials.js'
import type { RunDispatcher } from './dispatcher.js'
import type { RunSessions } from './run-browser.js'
import type { CodeHandler } from './run-environment.js'
import { DEFAULT_RUN_LEASE_TTL_MS } from './run-leases.js'
import type { Authorizer, Notifier, RateLimiter, SpanContextOf, Tracer } from './run-ports.js'
import type { OrganizationPolicies } from './scope-policies.js'
import { webhookOptionsSchema } from './webhooks/webhook-options.js'

const port = <T>(what: string, method: keyof T & string) =>
  z.custom<T>((value) => typeof value === 'object' && value !== null && typeof (value as Record<string, unknown>)[method] === 'function', {
    error: `expected ${what}, an object with the method ${method}()`,
  })

const guardrail = z.custom<Guardrail>((value) => typeof value === 'function', { error: 'expected a function' })
const organizationPolicy = z.custom<OrganizationPolicies>(
  (value) => typeof value === 'function' || (typeof value === 'object' && value !== null),
  {
    error: 'expected a policy, or a function that gives one for an organisation',
  },
)

/** Options of an engine, with their defaults. */
export const engineOptionsSchema = z.strictObject({
  /** Where workflows, runs and events live. The engine opens it and never closes it. */
  storage: port<Storage>('a Storage', 'commit'),
  /** The browsers that runs occupy. Without it, only workflows that need no page can run. */
  sessions: port<RunSessions>('a SessionPool', 'occupy').optional(),
  /** Organisation of every call that names none. */
  organizationId: z.string().min(1).optional(),
  /** Functions that `code` blocks may call, by name. */
  handlers: z
    .record(
      z.string(),
      z.custom<CodeHandler>((value) => typeof value === 'function', { error: 'expected a function' }),
    )
    .default({}),
  /** Where secrets are kept, by the name that `secret` parameters give as `provider`. */
  credentials: z.record(z.string(), port<CredentialProvider>('a CredentialProvider', 'get')).default({}),
  /**
   * What every run may do, and where; or a function that says it for each organisation. Workflows and runs may have policies of their own:
   * each of them has to admit an action. Without any, nothing is checked.
   */
  scopePolicy: organizationPolicy.optional(),
  /** Functions that policies may name as `guardrails`: each is asked before an action, and may refuse it. */
  guardrails: z.record(z.string(), guardrail).default({}),
  /** Block types beside the built-in ones, made by `defineBlock`. */
  blocks: z
    .array(z.custom<BlockType>((value) => typeof (value as BlockType | null)?.execute === 'function', { error: 'expected a block type' }))
    .default([]),
  /** Where the bytes of downloads and screenshots are kept. In memory by default. */
  artifacts: port<ArtifactStore>('an ArtifactStore', 'put').default(() => new MemoryArtifactStore()),
  /** What begins queued runs. In this process by default. */
  dispatcher: port<RunDispatcher>('a RunDispatcher', 'dispatch').optional(),
  /** Reaches goals that come without steps, and steps that failed (`onFailure: 'agent'`). Without it, these are refused. */
  agent: port<BrowserAgent>('a BrowserAgent', 'run').optional(),
  /** Most characters of a page that the agent is shown at once, 1,000 to 1,000,000. */
  maxObservationChars: z.number().int().min(1_000).max(1_000_000).default(DEFAULT_OBSERVATION_CHARS),
  /** Asked before a run is accepted. */
  authorizer: port<Authorizer>('an Authorizer', 'authorize').optional(),
  /** Asked before a run is accepted. */
  rateLimiter: port<RateLimiter>('a RateLimiter', 'consume').optional(),
  /** Tells people that a run waits for them. */
  notifier: port<Notifier>('a Notifier', 'notify').optional(),
  /** Most runs that may wait in the storage, of all organisations; one more is refused with `QUEUE_FULL`. Null: no limit. */
  maxQueuedRuns: z.number().int().min(1).nullable().default(null),
  /** Spans of runs, blocks and actions: `trace.getTracer('runwright')` of `@opentelemetry/api` fits. */
  tracer: port<Tracer>('a Tracer', 'startSpan').optional(),
  /** How a span becomes the parent of another: `(span) => trace.setSpan(context.active(), span)`. Without it, spans have no parents. */
  spanContext: z.custom<SpanContextOf>((value) => typeof value === 'function', { error: 'expected a function' }).optional(),
  /** Where the figures of runs, blocks and webhooks go, see `RunMeter`; an OpenTelemetry meter as it is. */
  meter: port<Meter>('a Meter', 'createCounter').optional(),
  /** How results are delivered to where `webhookCallbackUrl` says. Without a secret, or `unsigned`, such addresses are refused. */
  webhooks: webhookOptionsSchema.prefault({}),
  /** Runs that this engine executes at the same time. */
  concurrency: z.number().int().min(1).default(10),
  /** How long a run's lease lives without a heartbeat, in milliseconds. */
  leaseTtlMs: z.number().int().min(1_000).default(DEFAULT_RUN_LEASE_TTL_MS),
  /** Deadline of actions that name none, in milliseconds. */
  actionTimeoutMs: z.number().int().min(1).default(15_000),
  /** The same for actions that open a page. */
  navigationTimeoutMs: z.number().int().min(1).default(30_000),
  /** Whether steps whose element is not found may find it another way that was recorded when it was last touched. */
  alternativeTargets: z.boolean().default(true),
  /** Deadline of a block attempt that names none, in seconds; null: none but the run's own. */
  blockTimeoutSeconds: z.number().positive().nullable().default(null),
  /** Whether an undefined name in a template is an error instead of an empty text. */
  strictTemplates: z.boolean().default(false),
  /** Names this process; unique over all that share the storage. A made-up one by default. */
  hostId: z.string().min(1).optional(),
  clock: port<Clock>('a Clock', 'setTimer').default(() => systemClock),
  ids: port<Ids>('Ids', 'next').optional(),
  logger: port<Logger>('a Logger', 'warn').default(() => silentLogger),
  /** Hears of listeners that throw. */
  onListenerError: z.custom<ListenerErrorHandler>((value) => typeof value === 'function', { error: 'expected a function' }).optional(),
})

/** Options of {@link WorkflowEngine}. */
export type WorkflowEngineOptions = z.input<typeof engineOptionsSchema>

/** The same with every default filled in. */
export type EngineSettings = z.output<typeof engineOptionsSchema>
