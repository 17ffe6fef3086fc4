import type { Storage, ViewTokenRow } from '../storage/index.js'
import { closeCodes, type Refusal } from './close-codes.js'
import type { RunningDisplay } from './display-manager.js'
import { hasEnded } from './session-rows.js'
import type { OfferedSecrets } from './subprotocols.js'
import { ticketIdOf, type ViewScope, type ViewTokens } from './view-tokens.js'

/** Somebody asks to see a session. */
export interface AdmissionRequest {
  readonly browserSessionId: string
  readonly origin: string | null
  readonly secrets: OfferedSecrets
}

/** What a viewer who was let in may do. */
export interface Grant {
  readonly organizationId: string
  readonly browserSessionId: string
  readonly viewTokenId: string
  /** Null: it offered none, so that it cannot come back without a new token. */
  readonly ticketId: string | null
  readonly scope: ViewScope
  readonly running: RunningDisplay
}

export type Admission = { readonly grant: Grant } | { readonly refusal: Refusal; readonly organizationId: string | null }

export interface AdmissionDeskOptions {
  readonly storage: Storage
  readonly tokens: ViewTokens
  readonly displayOf: (browserSessionId: string) => RunningDisplay | undefined
  /** Whether one more may watch; a ticket's own open view does not count, as it is replaced. */
  readonly hasRoom: (browserSessionId: string, ticketId: string | null) => boolean
}

const badToken: Refusal = { code: closeCodes.token, reason: 'the link is not valid, or was used already' }

/** Decides who may watch. A token is used up last, when nothing else stands in the way: who was refused can try again. */
export class AdmissionDesk {
  readonly #options: AdmissionDeskOptions

  constructor(options: AdmissionDeskOptions) {
    this.#options = options
  }

  async admit(request: AdmissionRequest): Promise<Admission> {
    const { tokens } = this.#options
    const { ticket } = request.secrets
    const row = await this.#rowOf(request.secrets)
    if (row === undefined || row.browserSessionId !== request.browserSessionId) return { refusal: badToken, organizationId: null }
    const { organizationId, browserSessionId, viewTokenId, scope } = row
    const refuse = (refusal: Refusal): Admission => ({ refusal, organizationId })
    if (row.revokedAt !== null && !(await this.#isOver(row))) return refuse(badToken)
    if (row.origin !== null && row.origin !== request.origin) {
      return refuse({ code: closeCodes.forbidden, reason: 'the link is for another origin' })
    }
    const running = this.#options.displayOf(browserSessionId)
    if (running === undefined || running.organizationId !== organizationId) return refuse(await this.#whyNoDisplay(row))
    const ticketId = row.kind === 'ticket' ? viewTokenId : ticket === null ? null : ticketIdOf(viewTokenId)
    if (!this.#options.hasRoom(browserSessionId, ticketId)) {
      return refuse({ code: closeCodes.tooManyViewers, reason: 'as many viewers as there may be' })
    }
    if (!(await tokens.use(row, ticket))) return refuse(badToken)
    return { grant: { organizationId, browserSessionId, viewTokenId, ticketId, scope, running } }
  }

  /** A page whose first answer was lost offers its used token and its ticket again: then the ticket counts. */
  async #rowOf({ token, ticket }: OfferedSecrets): Promise<ViewTokenRow | undefined> {
    const { tokens } = this.#options
    const byToken = token === null ? undefined : await tokens.find(token, 'token')
    if (ticket === null || (byToken !== undefined && byToken.usedAt === null)) return byToken
    return (await tokens.find(ticket, 'ticket')) ?? byToken
  }

  /** The tokens of an ended session are revoked: its viewers are told that it ended, not that their link is bad. */
  async #isOver(row: ViewTokenRow): Promise<boolean> {
    const session = await this.#options.storage.get('browser_sessions', row.browserSessionId)
    return session !== undefined && hasEnded(session)
  }

  async #whyNoDisplay(row: ViewTokenRow): Promise<Refusal> {
    const session = await this.#options.storage.get('browser_sessions', row.browserSessionId)
    if (session !== undefined && hasEnded(session)) return { code: closeCodes.sessionEnded, reason: 'the session has ended' }
    return { code: closeCodes.unknownSession, reason: session ? 'the session has no live view on this host now' : 'no such session' }
  }
}
