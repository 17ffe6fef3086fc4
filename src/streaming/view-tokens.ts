import { createHash, timingSafeEqual } from 'node:crypto'
import { StreamingError } from '../errors/index.js'
import type { Ids, Random } from '../runtime/index.js'
import { type Storage, storageNow, type ViewTokenRow } from '../storage/index.js'

const SECRET_BYTES = 32
/** How long a ticket outlives its socket. */
const TICKET_GRACE_MS = 60_000

/** What a viewer may do: watch, or also use mouse and keyboard. */
export type ViewScope = 'view' | 'control'

export interface NewViewToken {
  readonly organizationId: string
  readonly browserSessionId: string
  readonly scope: ViewScope
  readonly ttlMs: number
  readonly origin: string | null
  readonly clipboard: boolean
  readonly userId: string | null
}

/** A token as its asker gets it, once: only its hash is kept. */
export interface IssuedViewToken {
  /** Opens one view, once. */
  readonly token: string
  readonly viewTokenId: string
  /** By the storage's clock. */
  readonly expiresAt: Date
}

/** Tokens and tickets of live views: 32 random bytes each, of which the storage knows the SHA-256 alone. */
export class ViewTokens {
  readonly #storage: Storage
  readonly #ids: Ids
  readonly #random: Random

  constructor(options: { readonly storage: Storage; readonly ids: Ids; readonly random: Random }) {
    this.#storage = options.storage
    this.#ids = options.ids
    this.#random = options.random
  }

  async issue(params: NewViewToken): Promise<IssuedViewToken> {
    const { ttlMs, ...row } = params
    const token = this.#random.bytes(SECRET_BYTES).toString('base64url')
    const viewTokenId = this.#ids.next('tok')
    const result = await this.#storage.commit([
      {
        op: 'insert',
        table: 'view_tokens',
        row: {
          ...row,
          viewTokenId,
          kind: 'token',
          tokenHash: hashOf(token),
          expiresAt: storageNow({ plusMs: ttlMs }),
          createdAt: storageNow(),
        },
      },
    ])
    const stored = result.ok ? (result.rows[0]?.[0] as ViewTokenRow | undefined) : undefined
    if (!stored?.expiresAt) {
      throw new StreamingError(`A view token of session ${params.browserSessionId} could not be stored`, {
        code: 'STREAM_UNAVAILABLE',
        retryable: true,
      })
    }
    return { token, viewTokenId, expiresAt: stored.expiresAt }
  }

  /** The row of a secret; whether it still opens anything is decided by {@link use}. */
  async find(secret: string, kind: ViewTokenRow['kind']): Promise<ViewTokenRow | undefined> {
    const tokenHash = hashOf(secret)
    const [row] = await this.#storage.find({ table: 'view_tokens', where: { tokenHash }, limit: 1 })
    if (row === undefined || row.kind !== kind) return undefined
    return timingSafeEqual(Buffer.from(row.tokenHash, 'hex'), Buffer.from(tokenHash, 'hex')) ? row : undefined
  }

  /**
   * Opens with a token (once, for ever) or a ticket (again and again). One conditional write decides, so of two sockets with one token
   * one gets in. `newTicket` becomes valid in the same commit.
   */
  async use(row: ViewTokenRow, newTicket: string | null): Promise<boolean> {
    const used = row.kind === 'token' ? tokenUse(row) : ticketUse(row)
    if (row.kind === 'ticket' || newTicket === null) return (await this.#storage.commit([used])).ok
    const { viewTokenId, tokenHash: _, usedAt: __, ...inherited } = row
    const ticket = {
      ...inherited,
      viewTokenId: ticketIdOf(viewTokenId),
      kind: 'ticket' as const,
      tokenHash: hashOf(newTicket),
      expiresAt: null,
      createdAt: storageNow(),
    }
    return (await this.#storage.commit([used, { op: 'insert', table: 'view_tokens', row: ticket }])).ok
  }

  /** The ticket's socket has closed: it may come back for a while. */
  async startGrace(ticketId: string): Promise<void> {
    const set = { expiresAt: storageNow({ plusMs: TICKET_GRACE_MS }) }
    await this.#storage.commit([{ op: 'updateAll', table: 'view_tokens', where: { viewTokenId: ticketId, expiresAt: null }, set }])
  }

  /** Ends a token and the ticket that came of it; whether there was anything to end. */
  async revoke(params: { readonly organizationId: string; readonly viewTokenId: string }): Promise<boolean> {
    const { organizationId, viewTokenId } = params
    return this.#revokeWhere({ organizationId, viewTokenId: { in: [viewTokenId, ticketIdOf(viewTokenId)] } })
  }

  /** Ends every token and ticket of a session. */
  async revokeAll(browserSessionId: string): Promise<void> {
    await this.#revokeWhere({ browserSessionId })
  }

  async #revokeWhere(where: { browserSessionId: string } | { organizationId: string; viewTokenId: { in: string[] } }): Promise<boolean> {
    const set = { revokedAt: storageNow() }
    const result = await this.#storage.commit([{ op: 'updateAll', table: 'view_tokens', where: { ...where, revokedAt: null }, set }])
    return result.ok && (result.rows[0]?.length ?? 0) > 0
  }
}

/** A token opens once, so one ticket comes of it, and its id needs no column of its own. */
export const ticketIdOf = (viewTokenId: string) => `${viewTokenId}.ticket`

const hashOf = (secret: string) => createHash('sha256').update(secret).digest('hex')

const tokenUse = (row: ViewTokenRow) =>
  ({
    op: 'update',
    table: 'view_tokens',
    id: row.viewTokenId,
    where: { usedAt: null, revokedAt: null, expiresAt: { gt: storageNow() } },
    set: { usedAt: storageNow() },
  }) as const

const ticketUse = (row: ViewTokenRow) =>
  ({
    op: 'update',
    table: 'view_tokens',
    id: row.viewTokenId,
    where: { revokedAt: null, any: [{ expiresAt: null }, { expiresAt: { gt: storageNow() } }] },
    set: { usedAt: storageNow(), expiresAt: null },
  }) as const
