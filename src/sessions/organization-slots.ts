import { PoolSaturatedError } from '../errors/index.js'
import type { CommitResult, Storage } from '../storage/storage.js'

/** Name of the unique key that holds each slot for one session. */
export const SLOT_KEY = 'browser_sessions_organization_slot'

/** Somebody else took the slot each time; after so many the caller is told that there is none. */
const ATTEMPTS = 100

/** The lowest of the slots 0 … `limit - 1` that is not taken; undefined: none is left. */
export function lowestFreeSlot(taken: ReadonlySet<number>, limit: number): number | undefined {
  for (let slot = 0; slot < limit; slot += 1) if (!taken.has(slot)) return slot
  return undefined
}

/**
 * Keeps the sessions of an organisation within a limit over all hosts: a session has a numbered slot from the insert of its row to its
 * final write, and a unique key lets one session have each.
 */
export class OrganizationSlots {
  readonly #storage: Storage
  readonly #limit: number | undefined
  /** Slots that this process is taking, so that its own callers do not race each other. */
  readonly #taking = new Map<string, Set<number>>()

  constructor(settings: { readonly storage: Storage; readonly maxSessionsPerOrganization?: number | undefined }) {
    this.#storage = settings.storage
    this.#limit = settings.maxSessionsPerOrganization
  }

  /**
   * Runs the write that inserts a session's row, with a slot (null: there is no limit), again while another host takes that slot first.
   * @throws {PoolSaturatedError} `POOL_SATURATED` when the organisation has all the sessions it may have
   */
  async insert(organizationId: string, write: (slot: number | null) => Promise<CommitResult>): Promise<CommitResult> {
    if (this.#limit === undefined) return write(null)
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const taken = await this.#taken(organizationId, this.#limit)
      const slot = this.#reserve(organizationId, taken, this.#limit)
      if (slot === undefined) throw saturated(organizationId, this.#limit, taken.size)
      try {
        const result = await write(slot)
        if (result.ok || result.constraint !== SLOT_KEY) return result
      } finally {
        this.#unreserve(organizationId, slot)
      }
    }
    throw saturated(organizationId, this.#limit, this.#limit)
  }

  async #taken(organizationId: string, limit: number): Promise<ReadonlySet<number>> {
    const rows = await this.#storage.find({
      table: 'browser_sessions',
      where: { organizationId, organizationSlot: { gte: 0, lt: limit } },
      limit: Math.min(limit, 10_000),
    })
    return new Set(rows.flatMap(({ organizationSlot }) => (organizationSlot === null ? [] : [organizationSlot])))
  }

  #reserve(organizationId: string, taken: ReadonlySet<number>, limit: number): number | undefined {
    const taking = this.#taking.get(organizationId) ?? new Set<number>()
    const slot = lowestFreeSlot(new Set([...taken, ...taking]), limit)
    if (slot !== undefined) this.#taking.set(organizationId, taking.add(slot))
    return slot
  }

  #unreserve(organizationId: string, slot: number): void {
    const taking = this.#taking.get(organizationId)
    taking?.delete(slot)
    if (taking?.size === 0) this.#taking.delete(organizationId)
  }
}

function saturated(organizationId: string, limit: number, used: number): PoolSaturatedError {
  return new PoolSaturatedError(`Organisation ${organizationId} has its ${limit} browser sessions`, {
    organizationId,
    maxSessionsPerOrganization: limit,
    used,
  })
}
