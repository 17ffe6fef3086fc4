import { type CloseCode, closeCodes } from './close-codes.js'
import type { ViewScope } from './view-tokens.js'

/** A viewer who is watching. */
export interface Viewer {
  readonly viewerId: string
  readonly browserSessionId: string
  /** The token or ticket with which it came. */
  readonly viewTokenId: string
  readonly ticketId: string | null
  readonly scope: ViewScope
  readonly since: Date
  readonly connection: {
    close(code: CloseCode, reason: string): void
    /** Resolves when it is closed; never rejects. */
    readonly closed: Promise<void>
  }
}

/** Who is watching on this host. One ticket, one view: the same viewer coming again replaces its older view. */
export class ViewerRegistry {
  readonly #viewers = new Map<string, Viewer>()
  readonly #maxViewersPerSession: number

  constructor(options: { readonly maxViewersPerSession: number }) {
    this.#maxViewersPerSession = options.maxViewersPerSession
  }

  get size(): number {
    return this.#viewers.size
  }

  of(browserSessionId: string): readonly Viewer[] {
    return [...this.#viewers.values()].filter((viewer) => viewer.browserSessionId === browserSessionId)
  }

  hasRoom(browserSessionId: string, ticketId: string | null): boolean {
    const others = this.of(browserSessionId).filter((viewer) => ticketId === null || viewer.ticketId !== ticketId)
    return others.length < this.#maxViewersPerSession
  }

  add(viewer: Viewer): void {
    for (const older of this.of(viewer.browserSessionId)) {
      if (viewer.ticketId === null || older.ticketId !== viewer.ticketId) continue
      this.#viewers.delete(older.viewerId) // first: its end must not end the ticket
      older.connection.close(closeCodes.replaced, 'the view was opened again')
    }
    this.#viewers.set(viewer.viewerId, viewer)
  }

  /** False: it was replaced. */
  remove(viewerId: string): boolean {
    return this.#viewers.delete(viewerId)
  }

  /** Closes the views that match; resolves when they are closed. */
  async close(matches: (viewer: Viewer) => boolean, code: CloseCode, reason: string): Promise<void> {
    const leaving = [...this.#viewers.values()].filter(matches)
    for (const { connection } of leaving) connection.close(code, reason)
    await Promise.all(leaving.map(({ connection }) => connection.closed))
  }
}
