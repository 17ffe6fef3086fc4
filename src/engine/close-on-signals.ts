import type { WorkflowEngine } from './workflow-engine.js'

/** Options of {@link closeOnSignals}. */
export interface CloseOnSignalsOptions {
  /** @default ['SIGINT', 'SIGTERM'] */
  readonly signals?: readonly NodeJS.Signals[]
  /** Called first and waited for, for example to cancel runs that nobody is to go on with. What it throws is no reason to go on. */
  readonly before?: (signal: NodeJS.Signals) => unknown
  /** Called after the engine has stopped; end the process here. A failed stop comes as `error`. */
  readonly onClosed?: (signal: NodeJS.Signals, error?: unknown) => void
}

/**
 * Stops an engine when the process is asked to end: running runs are handed over or ended, as `destroy()` does, browsers and displays
 * closed. For hosts that want it; the library installs no handler by itself. Returns the function that takes the handlers back.
 */
export function closeOnSignals(engine: Pick<WorkflowEngine, 'destroy'>, options: CloseOnSignalsOptions = {}): () => void {
  const signals = options.signals ?? (['SIGINT', 'SIGTERM'] as const)
  let isClosing = false
  const onSignal = (signal: NodeJS.Signals) => {
    if (isClosing) return
    isClosing = true
    const stop = async () => {
      try {
        await options.before?.(signal)
      } finally {
        await engine.destroy()
      }
    }
    void stop().then(
      () => options.onClosed?.(signal),
      (error: unknown) => options.onClosed?.(signal, error),
    )
  }
  for (const signal of signals) process.on(signal, onSignal)
  return () => {
    for (const signal of signals) process.off(signal, onSignal)
  }
}
