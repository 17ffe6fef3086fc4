import type { Readable } from 'node:stream'
import { ArtifactError } from '../../errors/index.js'
import { runStream, sessionStream } from '../../events/index.js'
import { type Ids, isAbortError } from '../../runtime/index.js'
import { deleteRows } from '../delete-rows.js'
import type { ArtifactRow } from '../schema.js'
import { type CommitResult, type Storage, type StoredEvent, storageNow, type Where, type Write } from '../storage.js'
import type { ArtifactType } from '../tables/artifacts.js'
import type { ArtifactBody, ArtifactStore } from './artifact-store.js'
import { keySegment, safeFilename, safeMimeType } from './filenames.js'

export interface ArtifactsOptions {
  readonly storage: Storage
  readonly store: ArtifactStore
  readonly ids: Ids
  /** Told of the events that a save committed through the storage, so that they reach listeners. */
  readonly onEvents?: (events: readonly StoredEvent[]) => void
}

export interface SaveArtifactParams {
  readonly organizationId: string
  readonly type: ArtifactType
  /** As its source named it; what is stored is made harmless. */
  readonly filename: string
  readonly mimeType: string
  readonly body: ArtifactBody
  readonly workflowRunId?: string | undefined
  readonly runBlockId?: string | undefined
  readonly blockLabel?: string | undefined
  readonly browserSessionId?: string | undefined
  /** Ends the writing of the bytes; nothing is stored then. */
  readonly signal?: AbortSignal | undefined
  /**
   * Commits in place of the storage: a run's writes go through its own writer, which adds the conditions of its lease (behind the writes
   * that it is given, so that the result begins with theirs) and tells of the events itself.
   */
  readonly commit?: ((batch: readonly Write[]) => Promise<CommitResult>) | undefined
}

/** Stores files that runs and sessions leave, and finds them again. */
export class Artifacts {
  readonly #options: ArtifactsOptions

  constructor(options: ArtifactsOptions) {
    this.#options = options
  }

  /**
   * Stores a file: its bytes first, then its row with the event `artifact.saved`, in one commit, on the stream of the run, else of the session.
   * @throws {ArtifactError} `ARTIFACT_TOO_LARGE`; `ARTIFACT_FAILED` where the bytes could not be written or the row was refused. Nothing
   * is left then. A commit that throws may have been applied, so that the bytes are kept.
   */
  async save(params: SaveArtifactParams): Promise<ArtifactRow> {
    const { storage, store, ids, onEvents } = this.#options
    const artifactId = ids.next('art')
    const filename = safeFilename(params.filename)
    const mimeType = safeMimeType(params.mimeType)
    const storeKey = storeKeyOf(params, artifactId, filename)
    const { size, sha256 } = await store.put(storeKey, params.body, { mimeType, signal: params.signal })
    const row = { artifactId, storeKey, filename, mimeType, size, sha256 }
    const writes = [insertOf(params, row), ...this.#eventOf(params, row)]
    const result = await (params.commit ?? ((batch) => storage.commit(batch)))(writes) // if this throws, the row may exist: the bytes stay
    if (!result.ok) {
      await store.delete(storeKey).catch(() => {}) // bytes without a row are only wasted space; the refusal is the news
      throw refused(artifactId, result)
    }
    if (params.commit === undefined) onEvents?.(result.events.flat())
    return result.rows[0]?.[0] as ArtifactRow
  }

  /**
   * A stored file with its bytes. The stream has to be read or destroyed.
   * @throws {ArtifactError} `ARTIFACT_NOT_FOUND` where this organisation has no such artifact, or its bytes are gone.
   */
  async read(params: { readonly organizationId: string; readonly artifactId: string }): Promise<{ artifact: ArtifactRow; body: Readable }> {
    const { storage, store } = this.#options
    const artifact = await storage.get('artifacts', params.artifactId)
    if (artifact === undefined || artifact.organizationId !== params.organizationId) {
      throw new ArtifactError(`No artifact ${params.artifactId} in this organisation`, {
        code: 'ARTIFACT_NOT_FOUND',
        details: { artifactId: params.artifactId },
      })
    }
    return { artifact, body: await store.get(artifact.storeKey) }
  }

  /** The artifacts of a run, oldest first; `after` is the id of the last one of the page before. */
  listByRun(params: {
    readonly organizationId: string
    readonly workflowRunId: string
    readonly type?: ArtifactType
    /** @default 100; 1 to 10,000 */
    readonly limit?: number
    readonly after?: string
  }): Promise<ArtifactRow[]> {
    const { organizationId, workflowRunId, type, limit, after } = params
    return this.#options.storage.find({
      table: 'artifacts',
      where: { organizationId, workflowRunId, ...(type === undefined ? {} : { type }) },
      orderBy: [{ column: 'createdAt' }],
      ...(limit === undefined ? {} : { limit }),
      ...(after === undefined ? {} : { after }),
    })
  }

  /**
   * Deletes the artifacts that meet a condition: bytes first, rows then, so that a crash leaves no bytes that nobody knows of.
   * @throws {ArtifactError} `ARTIFACT_FAILED` where bytes cannot be deleted; their rows stay.
   */
  deleteAll(where: Where<ArtifactRow>, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<number> {
    const { storage, store } = this.#options
    const before = async (rows: readonly ArtifactRow[]) => {
      for (const { artifactId, storeKey } of rows) await store.delete(storeKey).catch((error: unknown) => failedDelete(artifactId, error))
    }
    return deleteRows({ storage, table: 'artifacts', where, before, ...options })
  }

  /** Lets the store clear away what broken-off writes left. */
  async tidy(): Promise<void> {
    await this.#options.store.tidy?.()
  }

  #eventOf(params: SaveArtifactParams, row: Pick<ArtifactRow, 'artifactId' | 'filename' | 'size'>): Write[] {
    const { organizationId, type, workflowRunId = null, browserSessionId = null } = params
    const stream =
      workflowRunId !== null ? runStream(workflowRunId) : browserSessionId !== null ? sessionStream(browserSessionId) : undefined
    if (stream === undefined) return []
    const { artifactId, filename, size } = row
    const payload = { artifactId, type, filename, size, workflowRunId, browserSessionId }
    return [{ op: 'append', stream, events: [{ id: this.#options.ids.next('evt'), type: 'artifact.saved', organizationId, payload }] }]
  }
}

type MeasuredRow = Pick<ArtifactRow, 'artifactId' | 'storeKey' | 'filename' | 'mimeType' | 'size' | 'sha256'>

function insertOf(params: SaveArtifactParams, row: MeasuredRow): Write {
  const { organizationId, type, workflowRunId, runBlockId, blockLabel, browserSessionId } = params
  const owner = { organizationId, type, workflowRunId, runBlockId, blockLabel, browserSessionId }
  return { op: 'insert', table: 'artifacts', row: { ...row, ...owner, createdAt: storageNow() } }
}

/** Folders by organisation and owner; the extension stays, so that a file opens in the right program. */
function storeKeyOf(params: SaveArtifactParams, artifactId: string, filename: string): string {
  const owner = params.workflowRunId ?? params.browserSessionId ?? 'unowned'
  const extension = /\.[A-Za-z0-9]{1,8}$/.exec(filename)?.[0].toLowerCase() ?? ''
  return `${keySegment(params.organizationId)}/${keySegment(owner)}/${keySegment(artifactId)}${extension}`
}

function failedDelete(artifactId: string, cause: unknown): never {
  if (ArtifactError.is(cause) || isAbortError(cause)) throw cause
  const details = { artifactId }
  throw new ArtifactError(`The bytes of artifact ${artifactId} could not be deleted`, { code: 'ARTIFACT_FAILED', details, cause })
}

function refused(artifactId: string, result: Extract<CommitResult, { ok: false }>): ArtifactError {
  return new ArtifactError(`The row of artifact ${artifactId} was refused: ${result.reason}`, {
    code: 'ARTIFACT_FAILED',
    details: { artifactId, index: result.index, reason: result.reason, constraint: result.constraint },
  })
}
