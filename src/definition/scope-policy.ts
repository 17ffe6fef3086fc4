import { z } from 'zod'
import { ACTION_TYPES } from './actions.js'

const text = z.string().trim().min(1)

/**
 * A host as policies name it: a registrable domain (`example.com`: itself and everything below it), a host below one
 * (`app.example.com`: itself and everything below that), an IP address, or `localhost`. No scheme, no port, no path.
 */
const host = z
  .string()
  .trim()
  .min(1)
  .regex(/^[^\s/@?#]+$/, { error: 'expected a host name without scheme, port or path' })

/**
 * What a run may do, and where. Several policies (of the organisation, the workflow, the run) hold together: each of them has to admit
 * an action. Everything is checked before and after each action, and where requests leave the browser.
 */
export const scopePolicySchema = z.strictObject({
  /** Only these hosts; without it, every host that is not blocked. */
  allowedDomains: z.array(host).min(1).optional(),
  /** Never these; wins over `allowedDomains`. */
  blockedDomains: z.array(host).default([]),
  /** Only these action types; without it, all. */
  allowedActions: z
    .array(z.enum(ACTION_TYPES as [string, ...string[]]))
    .min(1)
    .optional(),
  /** Whether private, loopback and link-local addresses may be reached. @default false */
  allowPrivateNetwork: z.boolean().default(false),
  /** Whether `file:` addresses may be opened. @default false */
  allowFileUrls: z.boolean().default(false),
  /** Hosts admitted beside `allowedDomains` because signing in leads there, such as an identity provider's. */
  relatedAuth: z.array(host).default([]),
  /** CSS selectors whose elements are hidden from observation and refused as targets, for example `#delete-account`. */
  blinders: z.array(text).default([]),
  /** Names of functions that the host registered as `guardrails`: each is asked before an action and may refuse it. */
  guardrails: z.array(text).default([]),
})

/** A parsed policy, defaults filled in. */
export type ScopePolicy = z.output<typeof scopePolicySchema>

/** A policy as authors write it. */
export type ScopePolicyInput = z.input<typeof scopePolicySchema>
