import type { SessionLease } from './session-lease.js'

/**
 * Runs a function on a lease, and gives the lease back whatever comes of it; one that the function has released itself, with an outcome of
 * its own, stays so. The function's error goes before one of the release.
 */
export async function useLease<T>(lease: SessionLease, fn: (lease: SessionLease) => Promise<T> | T): Promise<T> {
  let result: T
  try {
    result = await fn(lease)
  } catch (error) {
    await lease.release().catch(() => {}) // lapses after its TTL
    throw error
  }
  await lease.release()
  return result
}
