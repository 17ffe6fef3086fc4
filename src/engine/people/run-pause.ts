import type { Json } from '../../errors/index.js'
import type { RunRow } from '../../storage/index.js'

/** What a paused run waits for, as callers see it. */
export interface RunPause {
  /** The block attempt that waits. */
  readonly runBlockId: string
  readonly label: string
  readonly instructions: string
  /** What approving is called. */
  readonly positiveDescriptor: string
  /** What rejecting is called. */
  readonly negativeDescriptor: string
  readonly recipients: readonly string[]
  /** What `resume` may be given, to be sure that it answers this pause. */
  readonly resumeToken: string
  /** When nobody needs to decide any more, by the storage's clock. */
  readonly expiresAt: Date
}

/** The same as the run's row keeps it; when it ends is a column of its own. */
export interface StoredPause extends Omit<RunPause, 'expiresAt'> {
  /** How long the run waits, in all. */
  readonly timeoutMs: number
}

/** What the row says that the run waits for, or waited for last; null: nothing. Pure. */
export function pauseOf({ pause }: Pick<RunRow, 'pause'>): StoredPause | null {
  if (pause === null) return null
  const text = (key: string): string => (typeof pause[key] === 'string' ? (pause[key] as string) : '')
  return {
    ...{ runBlockId: text('runBlockId'), label: text('label'), instructions: text('instructions') },
    ...{ positiveDescriptor: text('positiveDescriptor'), negativeDescriptor: text('negativeDescriptor') },
    recipients: Array.isArray(pause.recipients) ? pause.recipients.filter((item: Json) => typeof item === 'string') : [],
    ...{ resumeToken: text('resumeToken'), timeoutMs: typeof pause.timeoutMs === 'number' ? pause.timeoutMs : 0 },
  }
}

/** What a run that is paused waits for; null for every other one. Pure. */
export function presentPause(run: Pick<RunRow, 'status' | 'pause' | 'pauseExpiresAt'>): RunPause | null {
  const pause = run.status === 'paused' ? pauseOf(run) : null
  if (pause === null || run.pauseExpiresAt === null) return null
  const { timeoutMs, ...shown } = pause
  return { ...shown, expiresAt: run.pauseExpiresAt }
}
