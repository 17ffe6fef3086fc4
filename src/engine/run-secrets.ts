import { type Parameter, SecretReferences } from '../definition/index.js'
import type { AbortFork } from '../runtime/index.js'
import type { RunRow } from '../storage/index.js'
import { type CredentialProvider, fetchSecret } from './credentials.js'

export interface RunSecretsParams {
  readonly parameters: readonly Parameter[]
  readonly providers: Readonly<Record<string, CredentialProvider>>
  readonly run: RunRow
  /** 16 random bytes, new for each execution. */
  readonly nonce: Uint8Array
  readonly control: Pick<AbortFork, 'signal'>
}

/** The secrets of one execution, as references; nothing is asked of a provider yet. */
export function createSecrets(params: RunSecretsParams): SecretReferences {
  const { providers, run, control } = params
  const declared = declaredSecrets(params.parameters)
  return new SecretReferences({
    keys: [...declared.keys()],
    nonce: params.nonce,
    credentialOf: async (key) => {
      const secret = declared.get(key)
      if (secret === undefined) throw new TypeError(`No secret parameter "${key}"`)
      return fetchSecret({ secret, providers, organizationId: run.organizationId, signal: control.signal })
    },
  })
}

/**
 * Asks for every declared secret, before the first block: the redactor must know each of them before anything that comes back from a
 * page is written down.
 * @throws {CredentialError}
 */
export async function fetchAllSecrets(secrets: SecretReferences, parameters: readonly Parameter[]): Promise<void> {
  await Promise.all([...declaredSecrets(parameters).keys()].map((key) => secrets.credential(key)))
}

const declaredSecrets = (parameters: readonly Parameter[]) =>
  new Map(parameters.flatMap((parameter) => (parameter.kind === 'secret' ? [[parameter.key, parameter] as const] : [])))
