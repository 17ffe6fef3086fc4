import type { Json } from '../errors/index.js'

/** Which run a block starts below its own. No templates. */
export interface TriggerRunRequest {
  readonly workflowPermanentId: string
  /** Values of its parameters by key. Secrets cannot be handed on. */
  readonly parameters: Readonly<Record<string, Json>>
  /** Whether the call waits for its end. */
  readonly waitForCompletion: boolean
  /** The session that it runs on. */
  readonly browserSessionId?: string | undefined
  /** Whether it runs in the browser of this run; it has to be waited for then. */
  readonly useParentBrowserSession?: boolean | undefined
}

/** A run that a block started. */
export interface TriggeredRun {
  readonly workflowRunId: string
  /** Where it stands: at its end, where that was waited for. */
  readonly status: 'created' | 'queued' | 'running' | 'paused' | 'completed' | 'failed' | 'terminated' | 'canceled' | 'timed_out'
  /** By `<label>_output`; null while it has not ended. */
  readonly outputs: Readonly<Record<string, Json>> | null
  /** Why it did not complete; null when it did, or has not ended. */
  readonly failureReason: string | null
}
