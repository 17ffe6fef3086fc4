import type { Readable } from 'node:stream'
import {
  ProfileError,
  ProfileInUseError,
  ProfileNotFoundError,
  ProfileSaveError,
  type RunwrightError,
  SessionEndedError,
  SessionError,
  SessionHostUnavailableError,
  SessionNotFoundError,
  StaleLeaseError,
  TimeoutError,
} from '../../errors/index.js'
import { withDeadline } from '../../runtime/index.js'
import type { Artifacts } from '../../storage/artifacts/artifacts.js'
import type { ArtifactRow, BrowserProfileRow, BrowserSessionRow } from '../../storage/schema.js'
import { storageNow, type Write } from '../../storage/storage.js'
import type { ProfileKind } from '../../storage/tables/browser-profiles.js'
import type { BrowserState } from '../browser-state.js'
import type { LeaseRef } from '../close-options.js'
import { heldUnder, isFree } from '../lease-terms.js'
import { isHeld, occupiedError } from '../occupy-refusal.js'
import type { SessionPoolSettings } from '../options.js'
import type { SessionCloser } from '../session-closer.js'
import type { SessionJournal } from '../session-journal.js'
import type { LiveSession, SessionRegistry } from '../session-registry.js'
import { isFinalStatus, LIVE_STATUSES } from '../session-status.js'
import { type BrowserProfile, kindOfFile, toBrowserProfile } from './browser-profile.js'
import type { ProfileReader } from './profile-reader.js'
import type { ProfileStore } from './profile-store.js'
import { packState } from './state-codec.js'

/** Limit of a browser's answer with its state, in milliseconds. */
const SNAPSHOT_LIMIT_MS = 10_000
/** Limit of storing it, in milliseconds. */
const STORE_LIMIT_MS = 60_000

export interface SaveProfileRequest {
  readonly organizationId: string
  readonly browserSessionId: string
  readonly name: string
  readonly kind: ProfileKind
  readonly mode: 'create' | 'replace'
  readonly lease?: LeaseRef | undefined
  readonly signal?: AbortSignal | undefined
}

export interface DeleteProfileRequest {
  readonly organizationId: string
  readonly browserProfileId: string
  readonly force: boolean
}

interface Guard {
  readonly guard: Write
  readonly onRefused: () => Promise<RunwrightError>
}

/** Saves the state of sessions under names, and deletes it. */
export class SessionProfiles {
  readonly #settings: SessionPoolSettings
  readonly #registry: SessionRegistry
  readonly #journal: SessionJournal
  readonly #closer: SessionCloser
  readonly #artifacts: Artifacts
  readonly #store: ProfileStore
  readonly #reader: ProfileReader

  constructor(parts: {
    readonly settings: SessionPoolSettings
    readonly registry: SessionRegistry
    readonly journal: SessionJournal
    readonly closer: SessionCloser
    readonly artifacts: Artifacts
    readonly store: ProfileStore
    readonly reader: ProfileReader
  }) {
    this.#settings = parts.settings
    this.#registry = parts.registry
    this.#journal = parts.journal
    this.#closer = parts.closer
    this.#artifacts = parts.artifacts
    this.#store = parts.store
    this.#reader = parts.reader
  }

  /** Saves a live session: its holder's, or one that nobody holds. */
  async save(request: SaveProfileRequest): Promise<BrowserProfile> {
    const live = await this.#saveable(request)
    return this.#reported(request, async () => {
      if (request.kind === 'directory') {
        await this.#closeForArchive(live, request)
        return this.#fromArchive(request)
      }
      const state = await this.#snapshot(live, request.signal)
      return this.#put(request, 'snapshot', await packState(state), this.#guardOf(live, request))
    })
  }

  /** Makes a profile of what a session has, when it is live, or of what it left. */
  async create(request: SaveProfileRequest): Promise<BrowserProfile> {
    const { browserSessionId, organizationId } = request
    const row = await this.#settings.storage.get('browser_sessions', browserSessionId)
    if (row === undefined || row.organizationId !== organizationId) throw new SessionNotFoundError(browserSessionId)
    if (!isFinalStatus(row.status)) return this.save(request)
    await this.#registry.ending(browserSessionId)?.done // what it leaves may still be on its way
    const artifact = await this.#reader.keptState(organizationId, browserSessionId) // there is none: no save has failed then
    return this.#reported(request, () => this.#fromKept(request, artifact))
  }

  /** @throws {ProfileInUseError} `PROFILE_IN_USE` while live sessions were made from it, unless forced */
  async delete({ organizationId, browserProfileId, force }: DeleteProfileRequest): Promise<void> {
    const { storage } = this.#settings
    for (;;) {
      const row = await this.#reader.get(organizationId, browserProfileId)
      const where = { organizationId, browserProfileId, status: { in: LIVE_STATUSES } }
      const users = force ? [] : await storage.find({ table: 'browser_sessions', where, limit: 100 })
      if (users.length > 0)
        throw new ProfileInUseError(
          browserProfileId,
          users.map((user) => user.browserSessionId),
        )
      const result = await this.#journal.commit([
        {
          op: 'update',
          table: 'browser_profiles',
          id: browserProfileId,
          where: { organizationId, deletedAt: null, version: row.version },
          set: { deletedAt: storageNow(), modifiedAt: storageNow() },
        },
      ])
      if (result.ok) return this.#store.discard(row.artifactId)
    }
  }

  /** The session, when this host has its browser and the caller may save it. */
  async #saveable({ browserSessionId, organizationId, lease }: SaveProfileRequest): Promise<LiveSession> {
    const { storage, leaseTtlMs } = this.#settings
    const row = await storage.get('browser_sessions', browserSessionId)
    if (row === undefined || row.organizationId !== organizationId) throw new SessionNotFoundError(browserSessionId)
    const live = this.#registry.live(browserSessionId)
    if (isFinalStatus(row.status)) throw endedError(row)
    if (live === undefined) throw new SessionHostUnavailableError(browserSessionId, row.hostId)
    if (lease !== undefined && (row.leaseToken !== lease.token || row.leaseFence !== lease.fence))
      throw new StaleLeaseError(browserSessionId, lease.fence)
    if (lease === undefined && isHeld(row, await storage.now(), leaseTtlMs)) throw occupiedError(row)
    return live
  }

  /** The row must still be this host's, running, and held by whoever asked, or by nobody. */
  #guardOf(live: LiveSession, { lease }: SaveProfileRequest): Guard {
    const { browserSessionId, organizationId } = live
    const { hostId, leaseTtlMs, storage } = this.#settings
    const holder = lease === undefined ? { any: isFree(leaseTtlMs) } : heldUnder(lease)
    return {
      guard: {
        op: 'update',
        table: 'browser_sessions',
        id: browserSessionId,
        where: { organizationId, hostId, status: 'running', ...holder },
        set: { modifiedAt: storageNow() },
      },
      onRefused: async () => {
        const row = await storage.get('browser_sessions', browserSessionId)
        if (row !== undefined && isFinalStatus(row.status)) return endedError(row)
        if (lease !== undefined || row === undefined) return new StaleLeaseError(browserSessionId, lease?.fence ?? 0)
        return isHeld(row, await storage.now(), leaseTtlMs)
          ? occupiedError(row)
          : new SessionHostUnavailableError(browserSessionId, row.hostId)
      },
    }
  }

  #snapshot(live: LiveSession, signal: AbortSignal | undefined): Promise<BrowserState> {
    const { browser, browserSessionId } = live
    if (browser.snapshot === undefined)
      throw new ProfileSaveError(`The browser of session ${browserSessionId} cannot give its state`, { details: { browserSessionId } })
    return withDeadline({
      run: async (bounded) => (await browser.snapshot?.({ signal: bounded, timeoutMs: SNAPSHOT_LIMIT_MS })) as BrowserState,
      timeoutMs: SNAPSHOT_LIMIT_MS,
      onTimeout: () => new TimeoutError(`The state of session ${browserSessionId}`, SNAPSHOT_LIMIT_MS),
      signal,
      clock: this.#settings.clock,
    })
  }

  /** A user-data folder is whole only after a clean close. */
  async #closeForArchive(live: LiveSession, { browserSessionId, organizationId, lease }: SaveProfileRequest): Promise<void> {
    if (live.isAttached || live.browser.snapshot === undefined)
      throw new ProfileSaveError(`The folder of session ${browserSessionId} is not the pool's to archive`, {
        details: { browserSessionId },
      })
    const former = live.keeps.state
    live.keeps.state = 'directory'
    try {
      await this.#closer.close({ browserSessionId, organizationId, reason: 'user', force: false, lease })
    } catch (error) {
      live.keeps.state = former
      throw error
    }
  }

  /** Of a session that was closed for it. */
  async #fromArchive(request: SaveProfileRequest): Promise<BrowserProfile> {
    const { organizationId, browserSessionId } = request
    const artifact = await this.#reader.keptState(organizationId, browserSessionId).catch((cause: unknown) => {
      throw ProfileNotFoundError.is(cause) ? notArchived(browserSessionId, cause) : cause
    })
    if (kindOfFile(artifact.filename) !== 'directory') throw notArchived(browserSessionId)
    return this.#fromKept(request, artifact)
  }

  async #fromKept(request: SaveProfileRequest, artifact: ArtifactRow): Promise<BrowserProfile> {
    const { artifactId, filename } = artifact
    const { body } = await this.#artifacts.read({ organizationId: request.organizationId, artifactId })
    try {
      return await this.#put(request, kindOfFile(filename), body)
    } finally {
      body.destroy()
    }
  }

  async #put(request: SaveProfileRequest, kind: ProfileKind, body: Buffer | Readable, guard?: Guard): Promise<BrowserProfile> {
    const { organizationId, browserSessionId, name, mode, signal } = request
    const row: BrowserProfileRow = await withDeadline({
      run: (bounded) => this.#store.store({ organizationId, browserSessionId, name, mode, kind, body, signal: bounded, ...guard }),
      timeoutMs: STORE_LIMIT_MS,
      onTimeout: () => new TimeoutError(`Storing profile ${name}`, STORE_LIMIT_MS),
      signal,
      clock: this.#settings.clock,
    })
    return toBrowserProfile(row)
  }

  /** What goes wrong from here on has an event on the session's stream; what had been saved before is as it was. */
  async #reported(request: SaveProfileRequest, work: () => Promise<BrowserProfile>): Promise<BrowserProfile> {
    try {
      return await work()
    } catch (cause) {
      const error = isOurs(cause) ? cause : saveError(request, cause)
      await this.#failed(request, error)
      throw request.signal?.aborted ? request.signal.reason : error
    }
  }

  async #failed({ browserSessionId, organizationId, name, kind }: SaveProfileRequest, error: RunwrightError): Promise<void> {
    const payload = { browserSessionId, name, kind, code: error.code, reason: error.message }
    try {
      const result = await this.#journal.commit([
        this.#journal.append(browserSessionId, [this.#journal.event('profile.failed', organizationId, payload)]),
      ])
      if (result.ok) this.#journal.emit(result.events)
    } catch (failure) {
      this.#settings.logger.warn('cannot record that a profile was not saved', { browserSessionId, name, error: failure })
    }
  }
}

const isOurs = (error: unknown): error is ProfileError | SessionError => ProfileError.is(error) || SessionError.is(error)

function saveError({ browserSessionId, name }: SaveProfileRequest, cause: unknown): ProfileSaveError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new ProfileSaveError(`Profile ${JSON.stringify(name)} of session ${browserSessionId} was not saved: ${reason}`, {
    cause,
    retryable: true,
    details: { browserSessionId, name },
  })
}

const notArchived = (browserSessionId: string, cause?: unknown) =>
  new ProfileSaveError(`The folder of session ${browserSessionId} was not archived: see artifact.failed on its stream`, {
    cause,
    details: { browserSessionId },
  })

const endedError = ({ browserSessionId, status, closeReason }: BrowserSessionRow) =>
  new SessionEndedError(browserSessionId, { code: 'SESSION_ENDED', status, closeReason })
