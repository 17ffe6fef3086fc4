import type { Readable } from 'node:stream'
import { SessionNotFoundError } from '../errors/index.js'
import type { Artifacts } from '../storage/artifacts/artifacts.js'
import type { ArtifactRow } from '../storage/schema.js'
import type { Storage } from '../storage/storage.js'

/** A stored file of a session with its bytes; the stream has to be read or destroyed. */
export interface SessionArtifact {
  readonly artifact: ArtifactRow
  readonly body: Readable
}

/** Scoped reads of what sessions left: recordings, and their state. */
export class SessionFiles {
  readonly #storage: Storage
  readonly #artifacts: Artifacts

  constructor(parts: { readonly storage: Storage; readonly artifacts: Artifacts }) {
    this.#storage = parts.storage
    this.#artifacts = parts.artifacts
  }

  /** Oldest first. @throws {SessionNotFoundError} `SESSION_NOT_FOUND` */
  async list(request: {
    readonly organizationId: string
    readonly browserSessionId: string
    readonly after?: string | undefined
    readonly limit: number
  }): Promise<ArtifactRow[]> {
    const { organizationId, browserSessionId, after, limit } = request
    const session = await this.#storage.get('browser_sessions', browserSessionId)
    if (session === undefined || session.organizationId !== organizationId) throw new SessionNotFoundError(browserSessionId)
    return this.#storage.find({
      table: 'artifacts',
      where: { organizationId, browserSessionId },
      orderBy: [{ column: 'createdAt' }],
      limit,
      ...(after === undefined ? {} : { after }),
    })
  }

  /** @throws {ArtifactError} `ARTIFACT_NOT_FOUND` */
  read(request: { readonly organizationId: string; readonly artifactId: string }): Promise<SessionArtifact> {
    return this.#artifacts.read(request)
  }
}
