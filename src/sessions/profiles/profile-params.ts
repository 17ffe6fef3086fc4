import { z } from 'zod'
import { givenText, isStorableText } from '../../storage/given-text.js'
import type { LeaseRef } from '../close-options.js'

const id = givenText()
const organizationId = id.optional()
const signal = z.custom<AbortSignal>((value) => value instanceof AbortSignal, { error: 'expected an AbortSignal' })
const profileName = z
  .string()
  .max(200)
  .refine((name) => name.trim() === name && name !== '', { error: 'expected a name without blanks around it' })
  .refine(isStorableText, { error: 'expected a text without NUL and lone surrogates' })
const leaseRef = z.custom<LeaseRef>((value) => typeof (value as LeaseRef | null)?.token === 'string', { error: 'expected a SessionLease' })

export const saveProfileSchema = z.strictObject({
  organizationId,
  browserSessionId: id,
  /** At most 200 characters. The organisation's profile of this name is replaced. */
  name: profileName,
  /**
   * What sites stored, of the running browser (`snapshot`); or its whole user-data folder (`directory`), which is whole only after a clean
   * close: **that ends the session**. @default 'snapshot'
   */
  kind: z.enum(['snapshot', 'directory']).default('snapshot'),
  /** The caller's own lease; without it, nobody may hold the session. */
  lease: leaseRef.optional(),
  /** Ends the saving; the profile stays as it was, unless the switch had been made. */
  signal: signal.optional(),
})
/** Arguments of {@link SessionPool.saveProfile}. */
export type SaveProfileParams = z.input<typeof saveProfileSchema>

export const createProfileSchema = z.strictObject({
  organizationId,
  fromBrowserSessionId: id,
  /** At most 200 characters; no profile of the organisation may have it. */
  name: profileName,
  /** For a live session that is held: the caller's own lease. */
  lease: leaseRef.optional(),
  /** Ends the making; nothing is made then. */
  signal: signal.optional(),
})
/** Arguments of {@link SessionPool.createProfile}. */
export type CreateProfileParams = z.input<typeof createProfileSchema>

/** Names a profile. */
export const profileRefSchema = z.strictObject({ organizationId, browserProfileId: id })
/** Names a profile. */
export type ProfileRef = z.input<typeof profileRefSchema>

export const listProfilesSchema = z.strictObject({
  organizationId,
  /** Only the one of this name. */
  name: givenText().optional(),
  /** Id of the last profile of the page before. */
  after: id.optional(),
  /** 1 to 1,000. @default 100 */
  limit: z.number().int().min(1).max(1_000).default(100),
})
/** Arguments of {@link SessionPool.listProfiles}. */
export type ListProfilesParams = z.input<typeof listProfilesSchema>

export const deleteProfileSchema = profileRefSchema.extend({
  /** Also while live sessions were made from it; they go on. @default false */
  force: z.boolean().default(false),
})
/** Arguments of {@link SessionPool.deleteProfile}. */
export type DeleteProfileParams = z.input<typeof deleteProfileSchema>

export const listArtifactsSchema = z.strictObject({
  organizationId,
  browserSessionId: id,
  /** Id of the last artifact of the page before. */
  after: id.optional(),
  /** 1 to 1,000. @default 100 */
  limit: z.number().int().min(1).max(1_000).default(100),
})
/** Arguments of {@link SessionPool.listArtifacts}. */
export type ListSessionArtifactsParams = z.input<typeof listArtifactsSchema>

export const sessionArtifactRefSchema = z.strictObject({ organizationId, artifactId: id })
/** Names a stored file. */
export type SessionArtifactRef = z.input<typeof sessionArtifactRefSchema>
