import type { CredentialValue, SecretParameter } from '../definition/index.js'
import { CredentialError } from '../errors/index.js'

/** Port to where secrets are kept. */
export interface CredentialProvider {
  /** The secret of that name; undefined when there is none. */
  get(params: {
    readonly organizationId: string
    readonly name: string
    readonly signal?: AbortSignal
  }): Promise<CredentialValue | undefined>
}

/** Secrets handed over at start, the same for every organisation: tests, and hosts with one tenant. */
export class MemoryCredentialProvider implements CredentialProvider {
  readonly #values: ReadonlyMap<string, CredentialValue>

  constructor(values: Readonly<Record<string, CredentialValue>>) {
    this.#values = new Map(Object.entries(values))
  }

  async get({ name }: { readonly name: string }): Promise<CredentialValue | undefined> {
    return this.#values.get(name)
  }
}

/**
 * Secrets from environment variables: `<prefix><NAME>` holds a text, `<prefix><NAME>_USERNAME` and `_PASSWORD` a sign-in.
 * Only variables with the prefix can be reached, as definitions name what they want. @default prefix `RUNWRIGHT_SECRET_`
 */
export class EnvCredentialProvider implements CredentialProvider {
  readonly #env: Readonly<Record<string, string | undefined>>
  readonly #prefix: string

  constructor(options: { readonly env?: Readonly<Record<string, string | undefined>>; readonly prefix?: string } = {}) {
    this.#env = options.env ?? process.env
    this.#prefix = options.prefix ?? 'RUNWRIGHT_SECRET_'
  }

  async get({ name }: { readonly name: string }): Promise<CredentialValue | undefined> {
    const base = `${this.#prefix}${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`
    const username = this.#env[`${base}_USERNAME`]
    const password = this.#env[`${base}_PASSWORD`]
    const totpSeed = this.#env[`${base}_TOTP_SEED`]
    if (username === undefined || password === undefined) return this.#env[base]
    return totpSeed === undefined ? { username, password } : { username, password, totpSeed }
  }
}

export interface FetchSecretParams {
  readonly secret: SecretParameter
  readonly providers: Readonly<Record<string, CredentialProvider>>
  readonly organizationId: string
  readonly signal: AbortSignal
}

/** The value of a declared secret. @throws {CredentialError} */
export async function fetchSecret(params: FetchSecretParams): Promise<CredentialValue> {
  const { key, provider, name } = params.secret
  const details = { key, provider, name }
  const source = Object.hasOwn(params.providers, provider) ? params.providers[provider] : undefined
  if (source === undefined) {
    const known = Object.keys(params.providers).join(', ') || 'none'
    throw new CredentialError(`Secret "${key}" wants the credential provider "${provider}"; configured: ${known}`, {
      code: 'CREDENTIAL_NOT_FOUND',
      details,
    })
  }
  const value = await source.get({ organizationId: params.organizationId, name, signal: params.signal }).catch((cause: unknown) => {
    throw new CredentialError(`The credential provider "${provider}" failed for secret "${key}"`, {
      code: 'CREDENTIAL_PROVIDER_FAILED',
      details,
      cause,
    })
  })
  if (value !== undefined) return value
  throw new CredentialError(`The credential provider "${provider}" holds no "${name}"`, { code: 'CREDENTIAL_NOT_FOUND', details })
}
