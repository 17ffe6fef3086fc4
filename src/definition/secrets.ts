import { CredentialError, type Json } from '../errors/index.js'
import { mapJson } from './map-json.js'
import { createRedactor, type Redactor, type SecretValue } from './redactor.js'
import { define, TemplateReference } from './template-values.js'

/** What a credential provider gives for a secret. */
export type CredentialValue =
  | string
  | { readonly username: string; readonly password: string /** Base32 seed of one-time codes. */; readonly totpSeed?: string | undefined }

/** The parts of a secret that templates can name; `{{ KEY }}` alone is a text secret, or the password. */
export type SecretField = 'username' | 'password' | 'totp'

/** Options of {@link SecretReferences}. */
export interface SecretReferencesOptions {
  /** Keys of the declared secret parameters. */
  readonly keys: readonly string[]
  /** Random bytes of this execution, 16 or more: no page can guess them, so none can make a reference. */
  readonly nonce: Uint8Array
  /** Gives a secret's value; asked once a key, when a reference is first resolved. */
  readonly credentialOf: (key: string) => Promise<CredentialValue>
  /** Makes the one-time code of a seed for this moment. Without it, `{{ KEY.totp }}` cannot be resolved. */
  readonly totp?: ((seed: string) => string | Promise<string>) | undefined
}

/** The references of one execution: templates render them, and only what they rendered is resolved. */
export class SecretReferences {
  /** The template variables: a reference for each key. */
  readonly variables: ReadonlyMap<string, TemplateReference>
  readonly #options: SecretReferencesOptions
  readonly #pattern: RegExp
  readonly #credentials = new Map<string, Promise<CredentialValue>>()
  readonly #known = new Map<string, SecretValue>()
  #redactor: Redactor | undefined

  constructor(options: SecretReferencesOptions) {
    const nonce = Buffer.from(options.nonce).toString('hex')
    this.#options = options
    this.#pattern = new RegExp(`\u27e6secret:([A-Za-z_][A-Za-z0-9_]*)(?:\\.(username|password|totp))?:${nonce}\u27e7`, 'g')
    const placeholder = (name: string) => `\u27e6secret:${name}:${nonce}\u27e7`
    this.variables = new Map(
      options.keys.map((key) => {
        const fields: SecretField[] = ['username', 'password', 'totp']
        return [key, new TemplateReference(placeholder(key), new Map(fields.map((field) => [field, placeholder(`${key}.${field}`)])))]
      }),
    )
  }

  /** Whether a text holds a reference that this execution made. */
  has(text: string): boolean {
    return text.includes('\u27e6secret:') && text.search(this.#pattern) !== -1
  }

  /** The keys whose references a text holds, each once. */
  keysIn(text: string): readonly string[] {
    return [...new Set(Array.from(text.matchAll(this.#pattern), ([, key]) => key ?? ''))]
  }

  /**
   * Puts real values in the places of this execution's references. What they hold is not looked at again.
   * @throws {CredentialError} `CREDENTIAL_NOT_FOUND` when a secret has no such part; whatever `credentialOf` rejects with
   */
  async resolve(text: string): Promise<string> {
    if (!this.has(text)) return text
    const values = new Map<string, string>()
    for (const [reference, key = '', field] of text.matchAll(this.#pattern)) {
      if (!values.has(reference)) values.set(reference, await this.#valueOf(key, field as SecretField | undefined))
    }
    return text.replaceAll(this.#pattern, (reference) => values.get(reference) ?? reference)
  }

  /** Resolves every text in a JSON value; object keys are left as they are. @throws as `resolve` */
  async resolveDeep(value: Json): Promise<Json> {
    if (typeof value === 'string') return this.resolve(value)
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return Promise.all(value.map((item: Json) => this.resolveDeep(item)))
    const result: Record<string, Json> = {}
    for (const [key, item] of Object.entries(value)) if (item !== undefined) define(result, key, await this.resolveDeep(item))
    return result
  }

  /** A secret as its provider gives it, for a block that declares its parameter. @throws whatever `credentialOf` rejects with */
  async credential(key: string): Promise<CredentialValue> {
    if (!this.variables.has(key)) {
      throw new CredentialError(`No secret parameter "${key}" is declared`, { code: 'CREDENTIAL_NOT_FOUND', details: { key } })
    }
    const known = this.#credentials.get(key)
    if (known !== undefined) return known
    const asked = this.#options.credentialOf(key).then((value) => {
      if (typeof value === 'string') this.#learn(key, value)
      else {
        this.#learn(`${key}.password`, value.password)
        if (value.totpSeed !== undefined) this.#learn(`${key}.totp`, value.totpSeed)
      }
      return value
    })
    this.#credentials.set(key, asked)
    asked.catch(() => this.#credentials.delete(key)) // asked again next time; whoever asked hears of it
    return asked
  }

  /** A form fit for rows, events and logs: references become `{{ KEY.password }}`, in object keys too. */
  display(value: Json): Json {
    return mapJson(value, {
      scalar: (item) => (typeof item === 'string' ? this.#displayText(item) : item),
      key: (key) => this.#displayText(key),
    })
  }

  /** Takes out every secret that this execution has seen so far, user names excepted. References are displayed too. */
  redact(value: Json): Json {
    this.#redactor ??= createRedactor([...this.#known.values()])
    return this.#redactor.redact(this.display(value))
  }

  /** Like `redact`, of a text that holds a host name: a page may have put a secret there, and hosts lose their capitals. */
  redactHost(text: string): string {
    this.#redactor ??= createRedactor([...this.#known.values()])
    return this.#redactor.redactHost(this.#displayText(text))
  }

  #displayText(text: string): string {
    if (!text.includes('\u27e6secret:')) return text
    return text.replaceAll(this.#pattern, (_, key: string, field?: string) => `{{ ${field === undefined ? key : `${key}.${field}`} }}`)
  }

  async #valueOf(key: string, field: SecretField | undefined): Promise<string> {
    const value = await this.credential(key)
    if (field === 'totp') return this.#code(key, value)
    if (typeof value === 'string') {
      if (field !== 'username') return value
    } else return field === 'username' ? value.username : value.password
    throw new CredentialError(`Secret "${key}" has no ${field}`, { code: 'CREDENTIAL_NOT_FOUND', details: { key, field } })
  }

  async #code(key: string, value: CredentialValue): Promise<string> {
    const seed = typeof value === 'string' ? undefined : value.totpSeed
    if (seed === undefined || this.#options.totp === undefined) {
      const reason = seed === undefined ? 'has no totpSeed' : 'needs one-time codes, which are not set up'
      throw new CredentialError(`Secret "${key}" ${reason}`, { code: 'CREDENTIAL_NOT_FOUND', details: { key, field: 'totp' } })
    }
    const code = await this.#options.totp(seed)
    this.#learn(`${key}.totp`, code)
    return code
  }

  #learn(key: string, value: string): void {
    const id = `${key}\n${value}`
    if (this.#known.has(id)) return
    this.#known.set(id, { key, value })
    this.#redactor = undefined
  }
}
