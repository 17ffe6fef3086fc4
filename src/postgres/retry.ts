import { type Clock, type Random, sleep } from '../runtime/index.js'
import { isConnectionFault, isWorthRepeating } from './failures.js'
import { PortFailure } from './port.js'

export interface RetryTools {
  readonly clock: Clock
  readonly random: Random
}

/** Waits before the repetitions of a statement that met a connection fault. */
const FAULT_DELAYS_MS = [200, 400, 800] as const
const MAX_CONFLICTS = 8

/** Repeats a read on connection faults: it changes nothing. */
export async function retryRead<T>(tools: RetryTools, read: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await read()
    } catch (failure) {
      const delay = FAULT_DELAYS_MS[attempt]
      if (delay === undefined || !(isConnectionFault(failure) || isWorthRepeating(failure))) throw failure
      await sleep(tools.clock, delay)
    }
  }
}

/** Repeats a commit that certainly changed nothing: a deadlock, a serialization failure, a connection that was never made. */
export async function retryUnapplied<T>(tools: RetryTools, commit: () => Promise<T>): Promise<T> {
  let conflicts = 0
  let faults = 0
  for (;;) {
    try {
      return await commit()
    } catch (failure) {
      if (isWorthRepeating(failure) && conflicts < MAX_CONFLICTS) {
        await sleep(tools.clock, 5 * 2 ** conflicts * (0.5 + tools.random.fraction()))
        conflicts++
        continue
      }
      const delay = FAULT_DELAYS_MS[faults]
      const wasNeverSent = failure instanceof PortFailure && !failure.wasSent && isConnectionFault(failure)
      if (!wasNeverSent || delay === undefined) throw failure
      await sleep(tools.clock, delay)
      faults++
    }
  }
}
