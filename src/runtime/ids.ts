import { monotonicFactory } from 'ulid'
import { type Clock, systemClock } from './clock.js'
import { type Random, systemRandom } from './random.js'

/** What an id names; the prefix makes ids readable in logs. */
export type IdPrefix =
  | 'wf'
  | 'wpid'
  | 'wr'
  | 'rb'
  | 'act'
  | 'bs'
  | 'bp'
  | 'art'
  | 'evt'
  | 'br'
  | 'host'
  | 'lease'
  | 'tok'
  | 'view'
  | 'tsk'
  | 'stp'
  | 'pb'
  | 'whd'
  | 'ds'

/** Makes ids. Unique over all hosts that share a storage; within one host they sort in the order in which they were made. */
export interface Ids {
  next(prefix: IdPrefix): string
}

/** Ids such as `wr_01JD…`: prefix and ULID (48 bits of time, 80 of randomness, monotonic in this process). */
export function createIds(options: { clock?: Clock; random?: Random } = {}): Ids {
  const clock = options.clock ?? systemClock
  const random = options.random ?? systemRandom
  const ulid = monotonicFactory(() => random.fraction())
  return { next: (prefix) => `${prefix}_${ulid(clock.now().getTime())}` }
}
