import { extname } from 'node:path'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { ActionError } from '../errors/index.js'
import type { DownloadedFile } from '../events/index.js'
import type { ArtifactBody, ArtifactRow, Artifacts, ArtifactType } from '../storage/index.js'
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

/** Stores a file of a run as an artifact, under the conditions of the run's lease; its name holds no secret, whoever chose it. */
export async function saveRunFile({ state, entry, type, body, signal, ...named }: SaveRunFileParams): Promise<DownloadedFile> {
  const filename = String(state.secrets.redact(named.filename))
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

/** The largest file that is put into a page, in bytes: it passes through memory and the DevTools connection. */
const MAX_UPLOAD_BYTES = 50 * 1024 * 1024

/**
 * The content that a definition names, as a data address that carries its file name.
 * @throws {ActionError} `ACTION_FAILED` for what is neither a data address nor an artifact id, or is too large
 * @throws {ArtifactError} `ARTIFACT_NOT_FOUND`
 */
export async function readAsDataAddress(artifacts: Artifacts, organizationId: string, reference: string): Promise<string> {
  if (reference.startsWith('data:')) return reference
  if (!/^art_\w+$/.test(reference)) {
    throw new ActionError('upload_file takes an artifact id or a data address', {
      code: 'ACTION_FAILED',
      details: { expected: 'artifact id or data address', received: reference.slice(0, 100) },
    })
  }
  const { artifact, body } = await artifacts.read({ organizationId, artifactId: reference })
  if (artifact.size > MAX_UPLOAD_BYTES) {
    body.destroy()
    throw new ActionError(`Artifact ${reference} has ${artifact.size} bytes; ${MAX_UPLOAD_BYTES} can be uploaded`, {
      code: 'ACTION_FAILED',
      details: { expected: MAX_UPLOAD_BYTES, received: artifact.size },
    })
  }
  const content = await buffer(body)
  return `data:${artifact.mimeType};name=${encodeURIComponent(artifact.filename)};base64,${content.toString('base64')}`
}
