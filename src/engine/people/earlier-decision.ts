import { runStream } from '../../events/index.js'
import type { Storage } from '../../storage/index.js'

const PAGE_SIZE = 1_000

/** Whether the pause of a token has ended already by the same decision. Read from the run's events: its row knows the present pause only. */
export async function hasDecided(params: {
  readonly storage: Storage
  readonly workflowRunId: string
  readonly resumeToken: string
  readonly decision: string
}): Promise<boolean> {
  const { storage, workflowRunId, resumeToken, decision } = params
  let pausedBy: string | null = null
  for (let after = 0; ; ) {
    const events = await storage.readEvents({ stream: runStream(workflowRunId), after, limit: PAGE_SIZE })
    for (const { type, payload } of events) {
      const told = payload as { readonly runBlockId?: string; readonly resumeToken?: string; readonly decision?: string }
      if (type === 'run.paused' && told.resumeToken === resumeToken) pausedBy = told.runBlockId ?? null
      else if (type === 'run.resumed' && pausedBy !== null && told.runBlockId === pausedBy) return told.decision === decision
    }
    const last = events.at(-1)
    if (last === undefined || events.length < PAGE_SIZE) return false
    after = last.seq
  }
}
