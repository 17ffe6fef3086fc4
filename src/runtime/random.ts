import { randomBytes } from 'node:crypto'

/** Source of randomness: tokens, jitter. Tests replace it to be repeatable. */
export interface Random {
  /** `size` random bytes; unpredictable, fit for tokens. */
  bytes(size: number): Buffer
  /** A number in [0, 1), for jitter. */
  fraction(): number
}

/** A call of the source costs as much for 4 KiB as for a few bytes; what was given out is overwritten. */
const POOL_BYTES = 4_096
let pool = Buffer.alloc(0)
let used = 0

function take(size: number): Buffer {
  if (size > POOL_BYTES / 8) return randomBytes(size)
  if (used + size > pool.length) {
    pool = randomBytes(POOL_BYTES)
    used = 0
  }
  const taken = Buffer.from(pool.subarray(used, used + size))
  pool.fill(0, used, used + size)
  used += size
  return taken
}

/** The host's cryptographic random source. */
export const systemRandom: Random = {
  bytes: take,
  fraction: () => take(4).readUInt32BE() / 0x1_0000_0000,
}
