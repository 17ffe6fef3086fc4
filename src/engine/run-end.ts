import { RunNotFoundError } from '../errors/index.js'
import { type RunResult, runStream } from '../events/index.js'
import { type Clock, forkAbort } from '../runtime/index.js'
import { readStream, type Storage } from '../storage/index.js'
import type { LocalRuns } from './local-runs.js'
import { isFinalEvent } from './run-status.js'

export interface RunEndOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly localRuns: LocalRuns
}

const TOLD = new Error('The wait for a run is over')

/** Waits for the end of a run that exists. While this process executes it, nothing is read: nobody else ends it. */
export async function endOfRun(options: RunEndOptions, workflowRunId: string, signal: AbortSignal | undefined): Promise<RunResult> {
  signal?.throwIfAborted()
  const { localRuns } = options
  if (localRuns.isHere(workflowRunId)) {
    const result = await overHere(localRuns, workflowRunId, signal)
    if (result !== null) return result
  }
  return readEnd(options, workflowRunId, signal)
}

function overHere(localRuns: LocalRuns, workflowRunId: string, signal: AbortSignal | undefined): Promise<RunResult | null> {
  return new Promise((resolve, reject) => {
    const end = () => {
      stop()
      signal?.removeEventListener('abort', onAbort)
    }
    const onAbort = () => {
      end()
      reject(signal?.reason)
    }
    const stop = localRuns.onOver(workflowRunId, (result) => {
      end()
      resolve(result)
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

/** The end as the stream tells it; or as it is told here, should this process come to execute the run meanwhile. */
async function readEnd(
  { storage, clock, localRuns }: RunEndOptions,
  workflowRunId: string,
  signal: AbortSignal | undefined,
): Promise<RunResult> {
  const reading = forkAbort(signal)
  let told: RunResult | null = null
  const stop = localRuns.onOver(workflowRunId, (result) => {
    if (result === null) return
    told = result
    reading.abort(TOLD)
  })
  try {
    const isQuiet = () => localRuns.isHere(workflowRunId)
    for await (const event of readStream({ storage, clock, stream: runStream(workflowRunId), signal: reading.signal, isQuiet })) {
      if (isFinalEvent(event.type)) return event.payload as RunResult
    }
  } catch (error) {
    if (error !== TOLD || told === null) throw error
    return told
  } finally {
    stop()
    reading.dispose()
  }
  throw new RunNotFoundError(workflowRunId)
}
