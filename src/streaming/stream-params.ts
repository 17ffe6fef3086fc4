import { z } from 'zod'
import type { ViewScope } from './view-tokens.js'

/** Names the organization, unless the supervisor was made for one. */
export interface ByOrganization {
  readonly organizationId?: string | undefined
}

export interface StartDisplayParams extends ByOrganization {
  readonly browserSessionId: string
  /** Size of the page in pixels. @default null: a window of 1280 × 720 in which the page takes what is left */
  readonly viewport?: { readonly width: number; readonly height: number } | null | undefined
  /** What the browser's own bars take above the page, in pixels; 144 where an information bar stays. @default 90 */
  readonly browserBarsHeight?: number | undefined
  /** Pictures a second at the most, 1 to 60. @default 30 */
  readonly frameRate?: number | undefined
  /** Whether programs on the display may use GLX. @default false, which saves 55 MB a display */
  readonly glx?: boolean | undefined
  /** Whether it outlives this process, as its session does: the supervisor of the host that adopts that takes it over. @default false */
  readonly detached?: boolean | undefined
  /**
   * For a session whose row is yet to be written, and which is nobody's so far: no organisation is named, and `claimDisplay` tells
   * whose it has become. @default false
   */
  readonly isSpare?: boolean | undefined
  /** The caller gives up; the start is undone when no other caller waits for the same display. */
  readonly signal?: AbortSignal | undefined
}

export interface IssueTokenParams extends ByOrganization {
  readonly browserSessionId: string
  /** `control` may use mouse and keyboard. */
  readonly scope: ViewScope
  /** For how long the token can be opened, 1 s to 24 h. @default 120_000 */
  readonly ttlMs?: number | undefined
  /** The only origin from whose pages it opens. @default any that is allowed */
  readonly origin?: string | undefined
  /** Whether the view may reach the session's clipboard. @default false */
  readonly clipboard?: boolean | undefined
  /** The host's own name for who watches. */
  readonly userId?: string | undefined
}

export interface ScreenshotParams extends ByOrganization {
  readonly browserSessionId: string
  /** @default 'png' */
  readonly format?: 'png' | 'jpeg' | undefined
  /** 1 to 100, jpeg only. @default 80 */
  readonly quality?: number | undefined
  readonly signal?: AbortSignal | undefined
}

const organizationId = z.string().min(1).optional()
const signal = z.custom<AbortSignal>((value) => value instanceof AbortSignal, { error: 'expected an AbortSignal' }).optional()
const size = z.number().int().min(16).max(8192)

export const startDisplaySchema = z.strictObject({
  signal,
  organizationId,
  browserSessionId: z.string().min(1).max(128),
  viewport: z.strictObject({ width: size, height: size }).nullable().default(null),
  browserBarsHeight: z.number().int().min(0).max(1024).default(90),
  frameRate: z.number().int().min(1).max(60).default(30),
  glx: z.boolean().default(false),
  detached: z.boolean().default(false),
  /**
   * For a session whose row is yet to be written, and which is nobody's so far: no organisation is named, and `claimDisplay` tells
   * whose it has become. @default false
   */
  isSpare: z.boolean().default(false),
})

export const claimDisplaySchema = z.strictObject({ organizationId, browserSessionId: z.string().min(1).max(128) })

export const issueTokenSchema = z.strictObject({
  organizationId,
  browserSessionId: z.string().min(1).max(128),
  scope: z.enum(['view', 'control']),
  ttlMs: z.number().int().min(1_000).max(86_400_000).default(120_000),
  origin: z
    .url({ protocol: /^https?$/ })
    .transform((url) => new URL(url).origin)
    .optional(),
  clipboard: z.boolean().default(false),
  userId: z.string().min(1).max(256).optional(),
})

export const screenshotSchema = z.strictObject({
  signal,
  organizationId,
  browserSessionId: z.string().min(1).max(128),
  format: z.enum(['png', 'jpeg']).default('png'),
  quality: z.number().int().min(1).max(100).default(80),
})

export const revokeSchema = z.strictObject({ organizationId, viewTokenId: z.string().min(1).max(200) })
