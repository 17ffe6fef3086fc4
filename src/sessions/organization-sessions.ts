import type { AnyEvent } from '../events/index.js'
import type { BrowserSession } from './browser-session.js'
import type {
  CloseSessionParams,
  CreateOccupiedSessionParams,
  CreateSessionParams,
  ListSessionsParams,
  OccupySessionParams,
  RenewSessionParams,
  SessionEventsParams,
  SessionRef,
} from './options.js'
import type { SessionLease } from './session-lease.js'

/** The calls of a pool that name an organisation. */
export interface SessionCalls {
  create(params?: CreateSessionParams): Promise<BrowserSession>
  createOccupied(params: CreateOccupiedSessionParams): Promise<SessionLease>
  occupy(params: OccupySessionParams): Promise<SessionLease>
  renew(params: RenewSessionParams): Promise<BrowserSession>
  close(params: CloseSessionParams): Promise<BrowserSession>
  get(ref: SessionRef): Promise<BrowserSession>
  list(params?: ListSessionsParams): Promise<BrowserSession[]>
  urlFailure(ref: SessionRef): string | null
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

  renew(params: Bound<RenewSessionParams>): Promise<BrowserSession> {
    return this.#pool.renew({ ...params, organizationId: this.organizationId })
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

  urlFailure(browserSessionId: string): string | null {
    return this.#pool.urlFailure({ organizationId: this.organizationId, browserSessionId })
  }

  events(params: Bound<SessionEventsParams>): AsyncGenerator<AnyEvent, void, undefined> {
    return this.#pool.events({ ...params, organizationId: this.organizationId })
  }
}
