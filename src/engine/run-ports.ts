export type { PauseDecision, PauseRequest } from '../blocks/index.js'

/** Port that is asked before a run, or anything else that a caller wants, is accepted. */
export interface Authorizer {
  /** False, or a refusal with a reason: the call rejects with `NOT_AUTHORIZED`. */
  authorize(request: AuthorizationRequest): Promise<boolean | { readonly allowed: boolean; readonly reason?: string }>
}

/** What somebody wants to do. */
export interface AuthorizationRequest {
  readonly action: 'startRun' | 'runTask' | 'runAction'
  readonly organizationId: string
  /** Null for tasks and single actions. */
  readonly workflowPermanentId: string | null
  readonly runMetadata: Readonly<Record<string, string>> | null
}

/** Port that is asked before a run is accepted, once for each. A repetition by idempotency key is not counted. */
export interface RateLimiter {
  /** `allowed: false`: the call rejects with `RATE_LIMITED`. */
  consume(request: AuthorizationRequest): Promise<{ readonly allowed: boolean; readonly retryAfterMs?: number }>
}

/** Port that tells people that a run waits for them. */
export interface Notifier {
  /** Called once when a run is paused. What it throws is logged: the run waits all the same. */
  notify(notice: PauseNotice): Promise<void>
}

/** What a person has to know to decide. */
export interface PauseNotice {
  readonly organizationId: string
  readonly workflowRunId: string
  readonly workflowTitle: string
  readonly label: string
  readonly instructions: string
  /** What approving is called. */
  readonly positiveDescriptor: string
  readonly negativeDescriptor: string
  readonly recipients: readonly string[]
  readonly resumeToken: string
  /** ISO. */
  readonly expiresAt: string
}

/** Attributes of a span or of a measurement, as OpenTelemetry has them. */
export type Attributes = Readonly<Record<string, string | number | boolean>>

/** A span, as OpenTelemetry's API has it. */
export interface Span {
  setAttribute(key: string, value: string | number | boolean): unknown
  /** `code` 1: ok, 2: error. */
  setStatus(status: { readonly code: 0 | 1 | 2; readonly message?: string }): unknown
  recordException(exception: Error): unknown
  /** Without a time: now. */
  end(endTime?: Date): void
}

/** A tracer, as OpenTelemetry's API has it: `trace.getTracer('runwright')` fits, and nothing of its packages is needed. */
export interface Tracer {
  /** `root`: whatever span the host's own code stands in, it is not the parent. */
  startSpan(
    name: string,
    options?: { readonly attributes?: Attributes; readonly startTime?: Date; readonly root?: boolean },
    context?: unknown,
  ): Span
}

/** How a span becomes the parent of another: `@opentelemetry/api`'s `trace.setSpan(context.active(), span)`. */
// biome-ignore lint/suspicious/noExplicitAny: what comes in is what the host's own tracer made, of the type that it has there
export type SpanContextOf = (span: any) => unknown
