import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { ArtifactError, ProfileNotFoundError, ProfileUnreadableError } from '../../errors/index.js'
import type { Artifacts } from '../../storage/artifacts/artifacts.js'
import type { ArtifactRow, BrowserProfileRow } from '../../storage/schema.js'
import type { Storage } from '../../storage/storage.js'
import type { ProfileKind } from '../../storage/tables/browser-profiles.js'
import type { BrowserState } from '../browser-state.js'
import { unpackDirectory, unpackStateFile } from './profile-archive.js'
import { unpackState } from './state-codec.js'

export interface ListProfilesRequest {
  readonly organizationId: string
  readonly name?: string | undefined
  readonly after?: string | undefined
  readonly limit: number
}

/** A save switches a profile to new bytes and deletes the former ones, possibly between the two reads of a reader. */
const ATTEMPTS = 3

/** Scoped reads of profiles and of what they hold. */
export class ProfileReader {
  readonly #storage: Storage
  readonly #artifacts: Artifacts

  constructor(parts: { readonly storage: Storage; readonly artifacts: Artifacts }) {
    this.#storage = parts.storage
    this.#artifacts = parts.artifacts
  }

  /** @throws {ProfileNotFoundError} `PROFILE_NOT_FOUND` */
  async get(organizationId: string, browserProfileId: string): Promise<BrowserProfileRow> {
    const row = await this.#storage.get('browser_profiles', browserProfileId)
    if (row !== undefined && row.organizationId === organizationId && row.deletedAt === null) return row
    throw new ProfileNotFoundError(`No profile ${browserProfileId} in this organisation`, { browserProfileId })
  }

  list({ organizationId, name, after, limit }: ListProfilesRequest): Promise<BrowserProfileRow[]> {
    return this.#storage.find({
      table: 'browser_profiles',
      where: { organizationId, deletedAt: null, ...(name === undefined ? {} : { name }) },
      orderBy: [{ column: 'createdAt', direction: 'desc' }],
      limit,
      ...(after === undefined ? {} : { after }),
    })
  }

  /** The state that a closed session left; the newest, should there be several. @throws {ProfileNotFoundError} `PROFILE_NOT_FOUND` */
  async keptState(organizationId: string, browserSessionId: string): Promise<ArtifactRow> {
    const [artifact] = await this.#storage.find({
      table: 'artifacts',
      where: { organizationId, browserSessionId, type: 'profile' },
      orderBy: [{ column: 'createdAt', direction: 'desc' }],
      limit: 1,
    })
    if (artifact !== undefined) return artifact
    throw new ProfileNotFoundError(
      `Session ${browserSessionId} has left no state: it was private or made with keepState "none", or its browser did not close cleanly`,
      { browserSessionId },
    )
  }

  /**
   * Puts a profile's folder, where it has one, into the folder of a session that is about to be launched, and gives the state to restore.
   * @throws {ProfileNotFoundError} `PROFILE_NOT_FOUND` when it was deleted meanwhile
   * @throws {ProfileUnreadableError} `PROFILE_UNREADABLE`
   */
  load(organizationId: string, browserProfileId: string, directory: string): Promise<BrowserState> {
    return this.#read(organizationId, browserProfileId, (kind, body, what) =>
      kind === 'directory' ? unpackDirectory(body, directory, what) : stateOf(body, what),
    )
  }

  /**
   * The state of a profile alone: for a folder that has its files already.
   * @param temporary - a folder for what is needed on the way
   * @throws {ProfileNotFoundError} `PROFILE_NOT_FOUND`
   * @throws {ProfileUnreadableError} `PROFILE_UNREADABLE`
   */
  loadState(organizationId: string, browserProfileId: string, temporary: string): Promise<BrowserState> {
    return this.#read(organizationId, browserProfileId, async (kind, body, what) => {
      if (kind === 'snapshot') return stateOf(body, what)
      const directory = await mkdtemp(join(temporary, 'profile-'))
      try {
        return await unpackStateFile(body, directory, what)
      } finally {
        await rm(directory, { recursive: true, force: true })
      }
    })
  }

  async #read(
    organizationId: string,
    browserProfileId: string,
    unpack: (kind: ProfileKind, body: Readable, what: string) => Promise<BrowserState>,
  ): Promise<BrowserState> {
    const what = `Profile ${browserProfileId}`
    for (let attempt = 1, former: string | undefined; ; attempt += 1) {
      const { artifactId, kind } = await this.get(organizationId, browserProfileId)
      try {
        const { body } = await this.#artifacts.read({ organizationId, artifactId })
        return await unpack(kind, body, what)
      } catch (error) {
        if (!ArtifactError.is(error)) throw error
        if (attempt >= ATTEMPTS || artifactId === former) throw new ProfileUnreadableError(what, 'its bytes are gone', error)
        former = artifactId
      }
    }
  }
}

const stateOf = async (body: Readable, what: string) => unpackState(await buffer(body), what)
