import { createHash } from 'node:crypto'
import type { RunRow } from '../../storage/index.js'

export interface LanesParams {
  readonly organizationId: string
  readonly workflowPermanentId: string
  readonly runSequentially: boolean
  /** What the workflow's template gave for this run; null or empty: it has none. */
  readonly sequentialKey: string | null
  /** The session that the run names and waits for; null: none. */
  readonly browserSessionId: string | null
}

/** Longer texts become a digest: a lane's name is a primary key. */
const MAX_KEY_CHARS = 100

/**
 * The lanes of a run. A workflow whose runs all wait for each other has one lane, whatever its keys are: whoever has the same key waits in
 * it, too. Pure.
 */
export function lanesFor(params: LanesParams): Pick<RunRow, 'sequentialLane' | 'sessionLane'> {
  const { organizationId, workflowPermanentId, runSequentially, sequentialKey, browserSessionId } = params
  const name = (...parts: string[]) => ['lane', organizationId, ...parts].map(shortened).join(':')
  return {
    sequentialLane: runSequentially
      ? name('workflow', workflowPermanentId)
      : sequentialKey === null || sequentialKey === ''
        ? null
        : name('key', workflowPermanentId, sequentialKey),
    sessionLane: browserSessionId === null ? null : name('session', browserSessionId),
  }
}

/** Texts with a colon are digested too, so that no two lists of parts give one name. */
function shortened(text: string): string {
  if (text.length <= MAX_KEY_CHARS && !text.includes(':') && !text.startsWith('#')) return text
  return `#${createHash('sha256').update(text).digest('hex').slice(0, 40)}`
}
