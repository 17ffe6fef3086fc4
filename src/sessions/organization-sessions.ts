import type { AnyEvent } from '../events/index.js'
import type { ArtifactRow } from '../storage/schema.js'
import type { AttachSessionParams } from './attach-options.js'
import type { BrowserSession } from './browser-session.js'
import type { CloseSessionParams } from './close-options.js'
import type {
  AcquireSessionParams,
  CloseAllSessionsParams,
  CreateOccupiedSessionParams,
  CreateSessionParams,
  ListSessionsParams,
  OccupySessionParams,
  RenewSessionParams,
  SessionEventsParams,
  SessionRef,
  UseSessionRequest,
} from './options.js'
import type { BrowserProfile } from './profiles/browser-profile.js'
import type {
  CreateProfileParams,
  DeleteProfileParams,
  ListProfilesParams,
  ListSessionArtifactsParams,
  ProfileRef,
  SaveProfileParams,
  SessionArtifactRef,
} from './profiles/profile-params.js'
import type { DrainReport } from './session-drainer.js'
import type { SessionArtifact } from './session-files.js'
import type { SessionLease } from './session-lease.js'

/** The calls of a pool that name an organisation. */
export interface SessionCalls {
  create(params?: CreateSessionParams): Promise<BrowserSession>
  createOccupied(params: CreateOccupiedSessionParams): Promise<SessionLease>
  occupy(params: OccupySessionParams): Promise<SessionLease>
  acquire(params: AcquireSessionParams): Promise<SessionLease>
  attach(params: AttachSessionParams): Promise<SessionLease>
  use<T>(request: UseSessionRequest, fn: (lease: SessionLease) => Promise<T> | T): Promise<T>
  renew(params: RenewSessionParams): Promise<BrowserSession>
  renewOrClose(params: RenewSessionParams): Promise<BrowserSession>
  forceRelease(ref: SessionRef): Promise<BrowserSession>
  retire(ref: SessionRef): Promise<BrowserSession>
  close(params: CloseSessionParams): Promise<BrowserSession>
  closeAll(params?: CloseAllSessionsParams): Promise<DrainReport>
  get(ref: SessionRef): Promise<BrowserSession>
  list(params?: ListSessionsParams): Promise<BrowserSession[]>
  urlFailure(ref: SessionRef): string | null
  saveProfile(params: SaveProfileParams): Promise<BrowserProfile>
  createProfile(params: CreateProfileParams): Promise<BrowserProfile>
  getProfile(ref: ProfileRef): Promise<BrowserProfile>
  listProfiles(params?: ListProfilesParams): Promise<BrowserProfile[]>
  deleteProfile(params: DeleteProfileParams): Promise<void>
  listArtifacts(params: ListSessionArtifactsParams): Promise<ArtifactRow[]>
  readArtifact(ref: SessionArtifactRef): Promise<SessionArtifact>
  events(params: SessionEventsParams): AsyncGenerator<AnyEvent, void, undefined>
}

type Bound<P> = Omit<P, 'organizationId'>

/** The calls of a pool, bound to one organisation. */
export class OrganizationSessions {
  readonly organizationId: string
  readonly #pool: SessionCalls

  constructor(pool: SessionCalls, organizationId: string) {
    this.#pool = pool
    this.organizationId = organizationId
  }

  create(params: Bound<CreateSessionParams> = {}): Promise<BrowserSession> {
    return this.#pool.create({ ...params, organizationId: this.organizationId })
  }

  createOccupied(params: Bound<CreateOccupiedSessionParams>): Promise<SessionLease> {
    return this.#pool.createOccupied({ ...params, organizationId: this.organizationId })
  }

  occupy(params: Bound<OccupySessionParams>): Promise<SessionLease> {
    return this.#pool.occupy({ ...params, organizationId: this.organizationId })
  }

  attach(params: Bound<AttachSessionParams>): Promise<SessionLease> {
    return this.#pool.attach({ ...params, organizationId: this.organizationId })
  }

  acquire(params: Bound<AcquireSessionParams>): Promise<SessionLease> {
    return this.#pool.acquire({ ...params, organizationId: this.organizationId })
  }

  use<T>(request: Bound<AcquireSessionParams> | Bound<OccupySessionParams>, fn: (lease: SessionLease) => Promise<T> | T): Promise<T> {
    return this.#pool.use({ ...request, organizationId: this.organizationId }, fn)
  }

  renew(params: Bound<RenewSessionParams>): Promise<BrowserSession> {
    return this.#pool.renew({ ...params, organizationId: this.organizationId })
  }

  renewOrClose(params: Bound<RenewSessionParams>): Promise<BrowserSession> {
    return this.#pool.renewOrClose({ ...params, organizationId: this.organizationId })
  }

  forceRelease(browserSessionId: string): Promise<BrowserSession> {
    return this.#pool.forceRelease({ organizationId: this.organizationId, browserSessionId })
  }

  retire(browserSessionId: string): Promise<BrowserSession> {
    return this.#pool.retire({ organizationId: this.organizationId, browserSessionId })
  }

  closeAll(params: Bound<CloseAllSessionsParams> = {}): Promise<DrainReport> {
    return this.#pool.closeAll({ ...params, organizationId: this.organizationId })
  }

  close(params: Bound<CloseSessionParams>): Promise<BrowserSession> {
    return this.#pool.close({ ...params, organizationId: this.organizationId })
  }

  get(browserSessionId: string): Promise<BrowserSession> {
    return this.#pool.get({ organizationId: this.organizationId, browserSessionId })
  }

  list(params: Bound<ListSessionsParams> = {}): Promise<BrowserSession[]> {
    return this.#pool.list({ ...params, organizationId: this.organizationId })
  }

  saveProfile(params: Bound<SaveProfileParams>): Promise<BrowserProfile> {
    return this.#pool.saveProfile({ ...params, organizationId: this.organizationId })
  }

  createProfile(params: Bound<CreateProfileParams>): Promise<BrowserProfile> {
    return this.#pool.createProfile({ ...params, organizationId: this.organizationId })
  }

  getProfile(browserProfileId: string): Promise<BrowserProfile> {
    return this.#pool.getProfile({ organizationId: this.organizationId, browserProfileId })
  }

  listProfiles(params: Bound<ListProfilesParams> = {}): Promise<BrowserProfile[]> {
    return this.#pool.listProfiles({ ...params, organizationId: this.organizationId })
  }

  deleteProfile(params: Bound<DeleteProfileParams>): Promise<void> {
    return this.#pool.deleteProfile({ ...params, organizationId: this.organizationId })
  }

  listArtifacts(params: Bound<ListSessionArtifactsParams>): Promise<ArtifactRow[]> {
    return this.#pool.listArtifacts({ ...params, organizationId: this.organizationId })
  }

  readArtifact(artifactId: string): Promise<SessionArtifact> {
    return this.#pool.readArtifact({ organizationId: this.organizationId, artifactId })
  }

  urlFailure(browserSessionId: string): string | null {
    return this.#pool.urlFailure({ organizationId: this.organizationId, browserSessionId })
  }

  events(params: Bound<SessionEventsParams>): AsyncGenerator<AnyEvent, void, undefined> {
    return this.#pool.events({ ...params, organizationId: this.organizationId })
  }
}
