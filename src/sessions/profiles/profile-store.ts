import { ProfileExistsError, ProfileSaveError, type RunwrightError } from '../../errors/index.js'
import { sessionStream } from '../../events/index.js'
import type { Ids, Logger } from '../../runtime/index.js'
import type { ArtifactBody } from '../../storage/artifacts/artifact-store.js'
import type { Artifacts } from '../../storage/artifacts/artifacts.js'
import type { ArtifactRow, BrowserProfileRow } from '../../storage/schema.js'
import { type CommitResult, type Storage, storageNow, type Write } from '../../storage/storage.js'
import type { ProfileKind } from '../../storage/tables/browser-profiles.js'
import type { SessionJournal } from '../session-journal.js'
import { STATE_FILES } from './browser-profile.js'

export interface StoreProfileParams {
  readonly organizationId: string
  readonly browserSessionId: string
  readonly name: string
  readonly kind: ProfileKind
  readonly body: ArtifactBody
  /** `create` refuses a name that is taken; `replace` switches that profile over. */
  readonly mode: 'create' | 'replace'
  /** What must hold for the switch to happen: refused, nothing changes. */
  readonly guard?: Write
  /** What a refused guard is reported as. */
  readonly onRefused?: () => Promise<RunwrightError>
  readonly signal: AbortSignal
}

/** The same name may be saved by several at once; each sees the other's version and goes on from it. */
const ATTEMPTS = 8

/**
 * Saves profiles in two phases: the bytes are stored beside what there is, then one conditional commit switches the row to them, then the
 * former bytes go. Whatever fails on the way, the row names a whole state: the former one, or the new one.
 */
export class ProfileStore {
  readonly #storage: Storage
  readonly #ids: Ids
  readonly #logger: Logger
  readonly #journal: SessionJournal
  readonly #artifacts: Artifacts

  constructor(parts: {
    readonly settings: { readonly storage: Storage; readonly ids: Ids; readonly logger: Logger }
    readonly journal: SessionJournal
    readonly artifacts: Artifacts
  }) {
    this.#storage = parts.settings.storage
    this.#ids = parts.settings.ids
    this.#logger = parts.settings.logger
    this.#journal = parts.journal
    this.#artifacts = parts.artifacts
  }

  /** The live profile of this name; undefined: there is none. */
  async findByName(organizationId: string, name: string): Promise<BrowserProfileRow | undefined> {
    const where = { organizationId, name, deletedAt: null }
    const [row] = await this.#storage.find({ table: 'browser_profiles', where, limit: 1 })
    return row
  }

  async store(params: StoreProfileParams): Promise<BrowserProfileRow> {
    const { organizationId, kind, body, signal } = params
    let last: Switch | undefined
    try {
      await this.#artifacts.save({
        organizationId,
        type: 'profile',
        ...STATE_FILES[kind],
        body,
        signal,
        // no session of its own: it outlives the one that it came from
        commit: async (insert) => {
          last = await this.#switch(insert, params)
          return last.result
        },
      })
    } catch (error) {
      if (last !== undefined && !last.result.ok) throw await this.#refusal(last, params)
      throw error
    }
    if (last?.result.ok !== true) throw new TypeError('a stored artifact was committed') // unreachable
    this.#journal.emit(last.result.events)
    if (last.replaced !== undefined) await this.discard(last.replaced)
    return last.result.rows[last.profileIndex]?.[0] as BrowserProfileRow
  }

  /** Deletes bytes that no profile names any more. What cannot be deleted now is only wasted space. */
  async discard(artifactId: string): Promise<void> {
    await this.#artifacts.deleteAll({ artifactId }).catch((error: unknown) => {
      this.#logger.warn('the former bytes of a profile could not be deleted', { artifactId, error })
    })
  }

  async #switch(insert: readonly Write[], params: StoreProfileParams): Promise<Switch> {
    const { organizationId, name, guard, mode } = params
    const guards = guard === undefined ? [] : [guard]
    const profileIndex = insert.length + guards.length
    for (let attempt = 1; ; attempt += 1) {
      const present = await this.findByName(organizationId, name)
      if (mode === 'create' && present !== undefined) {
        const result = {
          ok: false,
          index: profileIndex,
          reason: 'duplicate',
          constraint: 'browser_profiles_name',
          current: present,
        } as const
        return { result, profileIndex, replaced: undefined }
      }
      const writes = this.#profileWrites(artifactOf(insert), present, params)
      const result = await this.#journal.commit([...insert, ...guards, ...writes])
      const isContended = !result.ok && result.index === profileIndex
      if (!isContended || attempt >= ATTEMPTS) return { result, profileIndex, replaced: present?.artifactId }
    }
  }

  #profileWrites(
    artifact: Pick<ArtifactRow, 'artifactId' | 'size'>,
    present: BrowserProfileRow | undefined,
    params: StoreProfileParams,
  ): Write[] {
    const { organizationId, browserSessionId, name, kind } = params
    const { artifactId, size } = artifact
    const browserProfileId = present?.browserProfileId ?? this.#ids.next('bp')
    const version = (present?.version ?? 0) + 1
    const state = { kind, artifactId, size, version, sourceBrowserSessionId: browserSessionId, modifiedAt: storageNow() }
    const payload = { browserSessionId, browserProfileId, name, kind, version, size }
    return [
      present === undefined
        ? {
            op: 'insert',
            table: 'browser_profiles',
            row: { browserProfileId, organizationId, name, ...state, createdAt: storageNow() },
          }
        : {
            op: 'update',
            table: 'browser_profiles',
            id: browserProfileId,
            where: { organizationId, deletedAt: null, version: present.version },
            set: state,
          },
      { op: 'append', stream: sessionStream(browserSessionId), events: [this.#journal.event('profile.saved', organizationId, payload)] },
    ]
  }

  async #refusal({ result, profileIndex }: Switch, { name, onRefused }: StoreProfileParams): Promise<RunwrightError> {
    if (result.ok) throw new TypeError('it was not refused') // unreachable
    if (result.index < profileIndex && onRefused !== undefined && result.reason !== 'duplicate') return onRefused()
    if (result.reason === 'duplicate' && result.constraint === 'browser_profiles_name') {
      return new ProfileExistsError(name, (result.current as BrowserProfileRow | undefined)?.browserProfileId ?? null)
    }
    return new ProfileSaveError(`Profile ${JSON.stringify(name)} was saved by others ${ATTEMPTS} times meanwhile`, {
      retryable: true,
      details: { name, reason: result.reason },
    })
  }
}

interface Switch {
  readonly result: CommitResult
  /** Place of the profile's own write in the batch. */
  readonly profileIndex: number
  /** Artifact that the profile named before. */
  readonly replaced: string | undefined
}

function artifactOf(insert: readonly Write[]): Pick<ArtifactRow, 'artifactId' | 'size'> {
  const [write] = insert
  if (write?.op !== 'insert' || write.table !== 'artifacts') throw new TypeError('the first write of an artifact is its row') // unreachable
  return write.row as ArtifactRow
}
