import type { Storage } from '../../storage/index.js'
import { storageNow } from '../../storage/index.js'
import type { RunResumes } from './run-resumes.js'

/** Most pauses that one look ends. */
const EXPIRY_LIMIT = 100

/** Ends the pauses whose time is over, whichever host made them: oldest first, at most 100 a call. Gives how many it ended. */
export async function expirePauses({ storage, resumes }: { readonly storage: Storage; readonly resumes: RunResumes }): Promise<number> {
  const over = await storage.find({
    table: 'runs',
    where: { status: 'paused', pauseExpiresAt: { lte: storageNow() }, cancelRequestedAt: null },
    orderBy: [{ column: 'pauseExpiresAt' }],
    limit: EXPIRY_LIMIT,
  })
  let ended = 0
  for (const run of over) if (await resumes.expire(run)) ended += 1
  return ended
}
