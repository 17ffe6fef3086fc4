import type { SessionDirectory } from '../../../src/sessions/session-directory.js'

/**
 * Folders of sessions that are on no disk: a disk has its own time, which no fake clock waits for, and no schedule could be played twice.
 */
const existing = new Map<string, Set<string>>()
let made = 0

/** In place of `createSessionDirectory`. */
export async function createAirDirectory({ baseDirectory }: { readonly baseDirectory: string }): Promise<SessionDirectory> {
  made += 1
  const path = `${baseDirectory}/${made}`
  const folders = existing.get(baseDirectory) ?? new Set()
  existing.set(baseDirectory, folders.add(path))
  const remove = async () => {
    folders.delete(path)
    if (folders.size === 0) existing.delete(baseDirectory)
  }
  return { path, temporary: `${path}/tmp`, profile: `${path}/profile`, downloads: `${path}/downloads`, remove }
}

/** Folders of sessions below a base directory. */
export function airFolders(baseDirectory: string): readonly string[] {
  return [...(existing.get(baseDirectory) ?? [])]
}

/** What stands in for the module of the session's folder: `vi.mock(…, async (original) => onAir(await original()))`. */
export function onAir(original: unknown): Record<string, unknown> {
  return { ...(original as object), createSessionDirectory: createAirDirectory, findSessionFolders: async () => [] }
}
