import { RunwrightError } from '../errors/index.js'

/**
 * The reason with which an execution unwinds that ends before its run does: the run waits for a person, or goes to another host. Whoever
 * catches it writes nothing more. Code `RUN_SUSPENDED`; it never leaves the engine.
 */
export class RunSuspendedError extends RunwrightError {
  static override readonly kind = 'RunSuspendedError'
  readonly why: 'paused' | 'handedOver'
  constructor(workflowRunId: string, why: 'paused' | 'handedOver') {
    super(`Run ${workflowRunId} ${why === 'paused' ? 'is paused' : 'is handed over'}`, {
      code: 'RUN_SUSPENDED',
      details: { workflowRunId, why },
    })
    this.why = why
  }
}
