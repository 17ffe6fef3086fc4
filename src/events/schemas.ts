import { z } from 'zod'
import { runResultSchema } from './run-result.js'

const run = { workflowRunId: z.string(), workflowPermanentId: z.string() }
const workflow = { workflowPermanentId: z.string(), workflowId: z.string(), version: z.number().int(), title: z.string() }
const debugSession = { debugSessionId: z.string(), userId: z.string(), workflowPermanentId: z.string(), browserSessionId: z.string() }
const webhook = { workflowRunId: z.string(), deliveryId: z.string(), /** From 1. */ attempt: z.number().int() }
const block = {
  workflowRunId: z.string(),
  runBlockId: z.string(),
  /** The loop above it. */
  parentRunBlockId: z.string().nullable(),
  label: z.string(),
  type: z.string(),
  /** From 1. */
  attempt: z.number().int(),
  /** Iteration of the loop around it, from 0. */
  currentIndex: z.number().int().nullable(),
}
const blockEnd = { ...block, durationMs: z.number(), failureReason: z.string().nullable(), errorCode: z.string().nullable() }
const action = {
  workflowRunId: z.string(),
  runBlockId: z.string(),
  blockLabel: z.string(),
  actionId: z.string(),
  stepIndex: z.number().int(),
  type: z.string(),
  /** What was done to what, without its value: `click button "Sign in"`. */
  description: z.string(),
  intention: z.string().nullable(),
  url: z.string().nullable(),
  durationMs: z.number(),
}
const session = { browserSessionId: z.string() }
const lease = { ...session, runnableType: z.string(), runnableId: z.string(), leaseFence: z.number().int() }
const viewer = { ...session, viewerId: z.string(), scope: z.enum(['view', 'control']) }
const profile = { ...session, name: z.string(), kind: z.enum(['snapshot', 'directory']) }
const artifact = {
  artifactId: z.string(),
  type: z.string(),
  filename: z.string(),
  size: z.number().int(),
  workflowRunId: z.string().nullable(),
  browserSessionId: z.string().nullable(),
}

/** Every event type with the schema of its payload. The table in docs/events.md and the types of listeners are made from this. */
export const eventSchemas = {
  'workflow.created': z.object(workflow).describe('A workflow was stored.'),
  'workflow.updated': z.object(workflow).describe('A new version of a workflow was stored.'),
  'workflow.deleted': z.object({ workflowPermanentId: z.string() }).describe('A workflow was deleted (softly).'),
  'debug_session.created': z.object(debugSession).describe('Somebody has a workflow and a browser to try its blocks on.'),
  'debug_session.moved': z
    .object({ ...debugSession, formerBrowserSessionId: z.string() })
    .describe('A debug session goes on with another browser: the former one had ended.'),
  'debug_session.completed': z.object(debugSession).describe('A debug session ended; its browser is closed.'),
  'debug_session.failed': z
    .object({ ...debugSession, code: z.string(), reason: z.string() })
    .describe('A browser that a debug session has left could not be closed; it takes no new holder, and ends when nobody holds it.'),
  'run.created': z.object({ ...run, workflowTitle: z.string(), version: z.number().int() }).describe('A run was accepted.'),
  'run.queued': z.object({ ...run, priority: z.number().int() }).describe('A run waits for a worker.'),
  'run.started': z
    .object({ ...run, attempt: z.number().int(), leaseHolder: z.string(), leaseFence: z.number().int() })
    .describe('A host began to execute a run.'),
  'run.paused': z
    .object({
      ...run,
      runBlockId: z.string(),
      label: z.string(),
      instructions: z.string(),
      positiveDescriptor: z.string(),
      negativeDescriptor: z.string(),
      recipients: z.array(z.string()),
      /** What `resume` may be given, to be sure that it answers this pause. */
      resumeToken: z.string(),
      expiresAt: z.string(),
    })
    .describe('A run waits for a person.'),
  'run.resumed': z
    .object({ ...run, runBlockId: z.string(), label: z.string(), decision: z.enum(['approve', 'reject', 'timeout']), by: z.string() })
    .describe('A paused run goes on: somebody has decided, or its time is over.'),
  'run.recovered': z
    .object({
      ...run,
      attempt: z.number().int(),
      leaseHolder: z.string(),
      leaseFence: z.number().int(),
      /** The host that had it; null: that one handed it over. */
      formerHolder: z.string().nullable(),
      /** Whether the run goes on, or is only brought to its end. */
      continues: z.boolean(),
    })
    .describe('A host took over a run whose host was lost or has stopped.'),
  'run.completed': runResultSchema.describe('A run ended as wanted.'),
  'run.failed': runResultSchema.describe('A run ended because something went wrong.'),
  'run.terminated': runResultSchema.describe('A run ended early on purpose.'),
  'run.canceled': runResultSchema.describe('A run was canceled.'),
  'run.timed_out': runResultSchema.describe('A run reached its elapsed limit.'),
  'webhook.delivered': z.object({ ...webhook, statusCode: z.number().int() }).describe('The result of a run was taken by its receiver.'),
  'webhook.failed': z
    .object({
      ...webhook,
      statusCode: z.number().int().nullable(),
      reason: z.string(),
      /** When it is tried again; null: no more. */ nextAttemptAt: z.string().nullable(),
    })
    .describe('The result of a run could not be delivered.'),
  'block.started': z.object(block).describe('A block attempt began.'),
  'block.progressed': z
    .object({ ...block, done: z.number().int(), total: z.number().int().nullable() })
    .describe('A loop finished an iteration.'),
  'block.retried': z.object({ ...blockEnd, delayMs: z.number() }).describe('A block attempt failed and is made again.'),
  'block.completed': z.object(blockEnd).describe('A block completed.'),
  'block.failed': z.object(blockEnd).describe('A block failed.'),
  'block.terminated': z.object(blockEnd).describe('A block terminated.'),
  'block.canceled': z.object(blockEnd).describe('A block was canceled.'),
  'block.timed_out': z.object(blockEnd).describe('A block took longer than it may.'),
  'action.performed': z
    .object({
      ...action,
      status: z.enum(['completed', 'failed', 'canceled']),
      error: z.object({ code: z.string(), message: z.string() }).nullable(),
    })
    .describe('An action was performed on a page, or failed.'),
  'action.blocked': z.object({ ...action, error: z.object({ code: z.string(), message: z.string() }) }).describe('An action was refused.'),
  'action.stuck': z
    .object({
      workflowRunId: z.string(),
      runBlockId: z.string(),
      blockLabel: z.string(),
      actionId: z.string(),
      stepIndex: z.number().int(),
      verdict: z.enum(['warn', 'stop']),
      reason: z.string(),
    })
    .describe('A block attempt gets nowhere: errors in a row, or one action again and again on an unchanged page; `stop` ends an agent.'),
  'request.blocked': z
    .object({
      workflowRunId: z.string(),
      browserSessionId: z.string().nullable(),
      host: z.string(),
      port: z.number().int(),
      /** Which rule refused it, for example `host` or `private_network`. */
      rule: z.string(),
      reason: z.string(),
      /** The whole address, where it is known: the network guard sees host and port only. */
      url: z.string().nullable(),
      /** How often so far; a second event of the same request, at the end of the block attempt, has more than 1. */
      count: z.number().int(),
    })
    .describe('Something that a browser asked the network for was refused.'),
  'session.created': z.object({ ...session, private: z.boolean() }).describe('A session was asked for; its browser is being launched.'),
  'session.started': z
    .object({ ...session, pid: z.number().int().nullable(), displayBackend: z.string().nullable(), launchMs: z.number() })
    .describe('The browser of a session answers.'),
  'session.occupied': z.object(lease).describe('Somebody holds the session.'),
  'session.renewed': z.object({ ...session, expiresAt: z.string() }).describe('The end of a session was put off.'),
  'session.released': z.object(lease).describe('The session is free again.'),
  'session.lost': z.object({ ...session, reason: z.string() }).describe('The browser of a session is gone.'),
  'session.relaunched': z
    .object({ ...session, pid: z.number().int().nullable(), leaseFence: z.number().int(), launchMs: z.number() })
    .describe('A lost browser was replaced by a new one on the same profile.'),
  'session.adopted': z
    .object({
      ...session,
      hostId: z.string(),
      formerHostId: z.string().nullable(),
      pid: z.number().int().nullable(),
      leaseFence: z.number().int(),
      displayBackend: z.string().nullable(),
    })
    .describe('A session that had outlived its host was taken over by another, with its browser.'),
  'session.retired': z.object(session).describe('A session takes no new holder and ends with its lease.'),
  'session.closed': z
    .object({ ...session, status: z.enum(['completed', 'failed', 'timeout']), closeReason: z.string() })
    .describe('A session ended.'),
  'profile.saved': z
    .object({ ...profile, browserProfileId: z.string(), version: z.number().int(), size: z.number().int() })
    .describe("The state of a session's browser was saved."),
  'profile.failed': z
    .object({ ...profile, code: z.string(), reason: z.string() })
    .describe("The state of a session's browser could not be saved; what was saved before stays."),
  'display.started': z
    .object({ ...session, backend: z.string(), displayNumber: z.number().int(), startMs: z.number() })
    .describe('A display answers.'),
  'display.lost': z.object({ ...session, reason: z.string() }).describe('A display died.'),
  'display.degraded': z.object({ ...session, reason: z.string() }).describe('A session goes on without its own display.'),
  'display.stopped': z.object({ ...session, backend: z.string() }).describe('A display was stopped.'),
  'stream.viewer_joined': z.object(viewer).describe('A viewer sees the display.'),
  'stream.viewer_left': z.object({ ...viewer, code: z.number().int() }).describe('A viewer is gone.'),
  'stream.viewer_refused': z.object({ ...session, code: z.number().int(), reason: z.string() }).describe('A viewer was not let in.'),
  'artifact.saved': z.object(artifact).describe('A file was stored.'),
  'artifact.failed': z
    .object({
      type: z.string(),
      filename: z.string().nullable(),
      reason: z.string(),
      workflowRunId: z.string().nullable(),
      browserSessionId: z.string().nullable(),
    })
    .describe('A file could not be stored.'),
} as const

/** The name of an event type. */
export type EventType = keyof typeof eventSchemas
/** The payload of an event type. */
export type EventPayload<T extends EventType> = z.infer<(typeof eventSchemas)[T]>
/** Types of the events of an engine. */
export type RunEventType = Extract<
  EventType,
  | `run.${string}`
  | `block.${string}`
  | `action.${string}`
  | `request.${string}`
  | `artifact.${string}`
  | `workflow.${string}`
  | `webhook.${string}`
>
/** Types of the events of sessions. */
export type SessionEventType = Extract<EventType, `session.${string}`>
/** Types of the events of saved profiles. */
export type ProfileEventType = Extract<EventType, `profile.${string}`>
/** Types of the events of displays and viewers. */
export type StreamingEventType = Extract<EventType, `display.${string}` | `stream.${string}`>

/** Types of the events of debug sessions. */
export type DebugEventType = Extract<EventType, `debug_session.${string}`>

/** Name of the stream of a run. */
export const runStream = (workflowRunId: string) => `run:${workflowRunId}`
/** Name of the stream of a session. */
export const sessionStream = (browserSessionId: string) => `session:${browserSessionId}`
/** Name of the stream of a workflow. */
export const workflowStream = (workflowPermanentId: string) => `workflow:${workflowPermanentId}`
/** Name of the stream of a debug session. */
export const debugStream = (debugSessionId: string) => `debug:${debugSessionId}`
