import { CredentialError, InvalidArgumentError } from '../../errors/index.js'
import { type CredentialProvider, fetchSecret } from '../credentials.js'
import type { WebhookSecretReference, WebhookSettings } from './webhook-options.js'

/** The secrets of organisations, by reference: each is read when something is signed, and forgotten. */
export class WebhookSecrets {
  readonly #settings: Pick<WebhookSettings, 'secret' | 'unsigned'>
  readonly #providers: Readonly<Record<string, CredentialProvider>>

  constructor(settings: Pick<WebhookSettings, 'secret' | 'unsigned'>, providers: Readonly<Record<string, CredentialProvider>>) {
    this.#settings = settings
    this.#providers = providers
  }

  /** Whether this engine can deliver anything at all. */
  get canDeliver(): boolean {
    return this.#settings.secret !== undefined || this.#settings.unsigned
  }

  /** Refuses to promise a delivery that could not be made. @throws {InvalidArgumentError} where the organisation has no secret */
  async assertDeliverable(organizationId: string, path = 'webhookCallbackUrl'): Promise<void> {
    if (this.#settings.unsigned || (await this.#referenceOf(organizationId)) !== null) return
    throw new InvalidArgumentError(
      `${path}: there is no secret to sign webhooks of organisation ${organizationId} with, and nothing leaves unsigned: ` +
        'give the WorkflowEngine `webhooks: { secret: { provider, name } }`, or `webhooks: { unsigned: true }`',
      { path, expected: 'an engine with a webhook secret for the organisation' },
    )
  }

  /**
   * The secret of an organisation; null: its results leave unsigned.
   * @throws {CredentialError} when there is none, or its provider fails
   */
  async read(organizationId: string, signal: AbortSignal): Promise<string | null> {
    const reference = await this.#knownReferenceOf(organizationId)
    if (reference === null) {
      if (this.#settings.unsigned) return null
      throw new CredentialError('The organisation has no webhook secret', { code: 'CREDENTIAL_NOT_FOUND' })
    }
    const { provider, name } = reference
    const secret = { kind: 'secret', key: 'webhooks.secret', provider, name } as const
    const value = await fetchSecret({ secret, providers: this.#providers, organizationId, signal })
    const text = typeof value === 'string' ? value : value.password
    if (text !== '') return text
    throw new CredentialError(`The webhook secret "${name}" of the credential provider "${provider}" is empty`, {
      code: 'CREDENTIAL_NOT_FOUND',
    })
  }

  async #knownReferenceOf(organizationId: string): Promise<WebhookSecretReference | null> {
    try {
      return await this.#referenceOf(organizationId)
    } catch (cause) {
      throw new CredentialError('The engine could not be told where the webhook secret is', { code: 'CREDENTIAL_PROVIDER_FAILED', cause })
    }
  }

  async #referenceOf(organizationId: string): Promise<WebhookSecretReference | null> {
    const { secret } = this.#settings
    return typeof secret === 'function' ? await secret(organizationId) : (secret ?? null)
  }
}
