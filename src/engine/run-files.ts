import { extname } from 'node:path'
import type { Readable } from 'node:stream'
import type { DownloadedFile } from '../events/index.js'
import type { ArtifactBody, ArtifactRow, ArtifactType } from '../storage/index.js'
import type { BlockEntry } from './block-journal.js'
import type { RunState } from './run-state.js'

/** Types by file name extension; what is not here is stored as a plain stream of bytes. */
const MIME_TYPES: Readonly<Record<string, string>> = {
  '.csv': 'text/csv',
  '.html': 'text/html',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.json': 'application/json',
  '.pdf': 'application/pdf',
  '.png': 'image/png',
  '.txt': 'text/plain',
  '.xlsx': 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  '.xml': 'application/xml',
  '.zip': 'application/zip',
}

/** A stored file with its bytes; the stream has to be read or destroyed. */
export interface StoredArtifact {
  readonly artifact: ArtifactRow
  readonly body: Readable
}

export interface SaveRunFileParams {
  readonly state: RunState
  readonly entry: BlockEntry
  readonly type: ArtifactType
  readonly filename: string
  readonly body: ArtifactBody
  readonly signal: AbortSignal
}

/** Stores a file of a run as an artifact, under the conditions of the run's lease. */
export async function saveRunFile({ state, entry, type, filename, body, signal }: SaveRunFileParams): Promise<DownloadedFile> {
  const row = await state.environment.artifacts.save({
    organizationId: entry.organizationId,
    type,
    filename,
    mimeType: MIME_TYPES[extname(filename).toLowerCase()] ?? 'application/octet-stream',
    body,
    workflowRunId: entry.workflowRunId,
    runBlockId: entry.runBlockId,
    blockLabel: entry.label,
    signal,
    commit: (batch) => state.journal.commitApart(batch),
  })
  return { artifactId: row.artifactId, filename: row.filename, size: row.size, sha256: row.sha256 }
}
