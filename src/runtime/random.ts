import { randomBytes } from 'node:crypto'

/** Source of randomness: tokens, jitter. Tests replace it to be repeatable. */
export interface Random {
  /** `size` random bytes; unpredictable, fit for tokens. */
  bytes(size: number): Buffer
  /** A number in [0, 1), for jitter. */
  fraction(): number
}

/** The host's cryptographic random source. */
export const systemRandom: Random = {
  bytes: (size) => randomBytes(size),
  fraction: () => randomBytes(4).readUInt32BE() / 0x1_0000_0000,
}
