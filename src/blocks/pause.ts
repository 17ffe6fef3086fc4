import type { Json } from '../errors/index.js'

/** What a block waits for when it pauses its run. No templates: its texts are shown as they are. */
export interface PauseRequest {
  readonly instructions: string
  /** What approving is called. */
  readonly positiveDescriptor: string
  /** What rejecting is called. */
  readonly negativeDescriptor: string
  readonly recipients: readonly string[]
  /** How long the run waits. */
  readonly timeoutMs: number
}

/** How a pause ended. */
export interface PauseDecision {
  /** `timeout`: nobody decided in time. */
  readonly decision: 'approve' | 'reject' | 'timeout'
  /** What came with the decision; null: nothing. */
  readonly data: Json
  /** Who decided. */
  readonly by: string
  /** ISO. */
  readonly at: string
}
