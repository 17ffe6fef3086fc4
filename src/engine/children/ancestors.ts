import type { RunRow, Storage } from '../../storage/index.js'
import { lanesOf } from '../terminal-writes.js'

/** How many runs may stand above a run. */
export const MAX_TRIGGER_DEPTH = 10

/** A run that starts another, then those above it up to the first; one more than may be at most. */
export type Ancestors = readonly RunRow[]

/** The run and those above it, by walking parents. A parent that was pruned ends the way. */
export async function loadAncestors(storage: Storage, run: RunRow): Promise<Ancestors> {
  const ancestors = [run]
  for (let id = run.parentWorkflowRunId; id !== null && ancestors.length <= MAX_TRIGGER_DEPTH; ) {
    const parent = await storage.get('runs', id)
    if (parent === undefined) break
    ancestors.push(parent)
    id = parent.parentWorkflowRunId
  }
  return ancestors
}

/** The ancestor in whose lane a run waits while that one, over others or at once, waits for it; null: none. Pure. */
export function sharedLane(child: RunRow, ancestors: Ancestors): string | null {
  const lanes = lanesOf(child)
  if (lanes.length === 0) return null
  for (const ancestor of ancestors) {
    if (lanesOf(ancestor).some((lane) => lanes.includes(lane))) return ancestor.workflowRunId
    if (ancestor.awaitedByRunBlockId === null) return null
  }
  return null
}
