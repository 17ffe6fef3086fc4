import { SessionNotRenewableError } from '../errors/index.js'
import type { Storage } from '../storage/storage.js'
import type { BrowserSession } from './browser-session.js'
import type { SessionRenewer } from './session-renewer.js'
import type { SessionRetirer } from './session-retirer.js'
import { isFinalStatus } from './session-status.js'

/** Renews a session, and ends one that nothing can be done with any more. */
export class RenewOrClose {
  readonly #storage: Storage
  readonly #renewer: SessionRenewer
  readonly #retirer: SessionRetirer

  constructor(parts: {
    readonly settings: { readonly storage: Storage }
    readonly renewer: SessionRenewer
    readonly retirer: SessionRetirer
  }) {
    this.#storage = parts.settings.storage
    this.#renewer = parts.renewer
    this.#retirer = parts.retirer
  }

  /** Rejects with the reason in both cases, closed or not. A launch in progress has its caller, who holds it as it were. */
  async run(params: { readonly organizationId: string; readonly browserSessionId: string; readonly minutes?: number | undefined }) {
    try {
      return await this.#renewer.renew(params)
    } catch (error) {
      if (SessionNotRenewableError.is(error)) await this.#closeIfLeft(params.organizationId, params.browserSessionId)
      throw error
    }
  }

  async #closeIfLeft(organizationId: string, browserSessionId: string): Promise<BrowserSession | null> {
    const [row, now] = [await this.#storage.get('browser_sessions', browserSessionId), await this.#storage.now()]
    if (row === undefined || isFinalStatus(row.status)) return null
    const isHostAlive = row.hostLeaseExpiresAt !== null && row.hostLeaseExpiresAt > now
    if (row.status !== 'running' && isHostAlive) return null
    return this.#retirer.endIfFree(organizationId, browserSessionId, 'expired')
  }
}
