import { z } from 'zod'

/** Most attempts at a delivery, and how long one may take, where nothing else is said. */
export const DEFAULT_WEBHOOK_ATTEMPTS = 3
/** In milliseconds. */
export const DEFAULT_WEBHOOK_TIMEOUT_MS = 30_000

const secretReference = z.strictObject({
  /** A name among the engine's `credentials`. */
  provider: z.string().min(1),
  /** What the secret is called there. A sign-in stands for its password. */
  name: z.string().min(1),
})

/** Where the secret that deliveries are signed with is kept. */
export type WebhookSecretReference = Readonly<z.infer<typeof secretReference>>

/** Says for each organisation where its secret is kept; null: it has none. */
export type WebhookSecretOf = (organizationId: string) => WebhookSecretReference | null | Promise<WebhookSecretReference | null>

/** How results of runs are delivered. */
export const webhookOptionsSchema = z.strictObject({
  /**
   * Where the secret is kept that deliveries are signed with, or a function that says it for each organisation. It is read from its
   * `credentials` provider for each attempt, and kept nowhere.
   */
  secret: z
    .union([secretReference, z.custom<WebhookSecretOf>((value) => typeof value === 'function')], {
      error: 'expected { provider, name }, or a function that gives it for an organisation',
    })
    .optional(),
  /** Whether results may leave unsigned where there is no secret: their receivers cannot tell whom they are from. */
  unsigned: z.boolean().default(false),
  /** Whether receivers may be at addresses that are not of the public internet. */
  allowPrivateAddresses: z.boolean().default(false),
  /** How long an attempt may take, from the first look at the receiver's address to the end of its answer, in milliseconds. */
  timeoutMs: z.number().int().min(1).max(300_000).default(DEFAULT_WEBHOOK_TIMEOUT_MS),
  /** Most attempts at a delivery. */
  attempts: z.number().int().min(1).max(10).default(DEFAULT_WEBHOOK_ATTEMPTS),
})

/** Option `webhooks` of {@link WorkflowEngine}. */
export type WebhookOptions = z.input<typeof webhookOptionsSchema>
/** The same with every default filled in. */
export type WebhookSettings = z.output<typeof webhookOptionsSchema>
