import type { BrowserProfileRow } from '../../storage/schema.js'
import type { ProfileKind } from '../../storage/tables/browser-profiles.js'

/** A saved profile as the pool gives it out. */
export type BrowserProfile = Readonly<Omit<BrowserProfileRow, 'artifactId' | 'deletedAt'>>

export function toBrowserProfile(row: BrowserProfileRow): BrowserProfile {
  const { artifactId: _artifactId, deletedAt: _deletedAt, ...profile } = row
  return profile
}

/** The files in which states are stored, by kind. */
export const STATE_FILES: Readonly<Record<ProfileKind, { readonly filename: string; readonly mimeType: string }>> = {
  snapshot: { filename: 'state.json.gz', mimeType: 'application/gzip' },
  directory: { filename: 'profile.tar.gz', mimeType: 'application/gzip' },
}

/** The kind of the state in a stored file. */
export const kindOfFile = (filename: string): ProfileKind => (filename === STATE_FILES.directory.filename ? 'directory' : 'snapshot')
