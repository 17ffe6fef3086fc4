import { z } from 'zod'
import { givenText } from '../storage/given-text.js'
import type { CloseReason } from '../storage/tables/browser-sessions.js'

/** Why sessions end. */
export const CLOSE_REASONS = [
  'released',
  'idle_ttl',
  'max_age',
  'max_uses',
  'crashed',
  'disconnected',
  'lease_expired',
  'launch_failed',
  'probe_failed',
  'tainted',
  'drained',
  'shutdown',
  'policy_violation',
  'orphan',
  'user',
  'expired',
] as const satisfies readonly CloseReason[]

/** Reasons that a caller may give: all others are findings of the pool. */
export const CALLER_CLOSE_REASONS = ['user', 'released', 'drained'] as const satisfies readonly CloseReason[]

/** A lease, as far as it identifies its holder. */
export interface LeaseRef {
  readonly token: string
  readonly fence: number
}

export const closeSchema = z.strictObject({
  organizationId: givenText().optional(),
  browserSessionId: givenText(),
  /** `released`: its holder is done with it, as at the end of a run; `drained`: it is taken out of use. @default 'user' */
  reason: z.enum(CALLER_CLOSE_REASONS).default('user'),
  /** Ends the lease of whoever holds the session, its signal first. @default false */
  force: z.boolean().default(false),
  /** The caller's own lease: its holder may close without force. It counts as released then. */
  lease: z
    .custom<LeaseRef>((value) => typeof (value as LeaseRef | null)?.token === 'string', { error: 'expected a SessionLease' })
    .optional(),
})
/** Arguments of {@link SessionPool.close}. */
export type CloseSessionParams = z.input<typeof closeSchema>
