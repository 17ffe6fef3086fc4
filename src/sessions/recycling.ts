import type { CloseReason } from '../storage/tables/browser-sessions.js'

/** When something is worn out; what is left out does not count. */
export interface RecycleLimits {
  /** Leases. */
  readonly maxUses?: number | undefined
  readonly maxAgeMinutes?: number | undefined
  /** Resident memory of the browser's processes, in megabytes (2^20 bytes). */
  readonly maxMemoryMb?: number | undefined
}

/** When contexts, and browsers, are replaced: between two leases, the context first. */
export interface RecycleOptions {
  readonly context?: RecycleLimits | undefined
  readonly browser?: RecycleLimits | undefined
}

/** How worn it is. */
export interface Wear {
  readonly uses: number
  readonly ageMs: number
  /** Null: not measured. */
  readonly memoryBytes: number | null
}

const MINUTE_MS = 60_000
const MB = 2 ** 20

/** Which limit has been reached; null: none. */
export function limitReached(limits: RecycleLimits | undefined, wear: Wear): 'uses' | 'age' | 'memory' | null {
  const { maxUses, maxAgeMinutes, maxMemoryMb } = limits ?? {}
  if (maxUses !== undefined && wear.uses >= maxUses) return 'uses'
  if (maxAgeMinutes !== undefined && wear.ageMs >= maxAgeMinutes * MINUTE_MS) return 'age'
  if (maxMemoryMb !== undefined && wear.memoryBytes !== null && wear.memoryBytes > maxMemoryMb * MB) return 'memory'
  return null
}

/** As what a session ends whose browser has reached a limit; memory is used up by uses. */
export function reasonFor(limit: 'uses' | 'age' | 'memory'): CloseReason {
  return limit === 'age' ? 'max_age' : 'max_uses'
}

/** Whether anything depends on how much memory browsers use. */
export function watchesMemory({ context, browser }: RecycleOptions): boolean {
  return context?.maxMemoryMb !== undefined || browser?.maxMemoryMb !== undefined
}
