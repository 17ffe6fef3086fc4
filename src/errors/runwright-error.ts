import type { Json } from './json.js'

const KINDS = Symbol.for('runwright.error.kinds')

/** What every error of this library carries beside its message. */
export interface RunwrightErrorOptions {
  /** Stable machine-readable code, for example `SESSION_OCCUPIED`; never renamed. */
  readonly code: string
  /** JSON facts about the failure: ids, expected and received values. Never a secret. */
  readonly details?: Readonly<Record<string, Json | undefined>> | undefined
  /** The error that caused this one. */
  readonly cause?: unknown
  /** Whether the same call may succeed when it is repeated unchanged. @default false */
  readonly retryable?: boolean | undefined
}

/**
 * Base of everything that the library throws on purpose.
 *
 * `instanceof` and {@link RunwrightError.is} test a `Symbol.for` brand, so that errors made by another copy of the package are
 * recognised too. Decide on `code`, not on the message.
 */
export class RunwrightError extends Error {
  /** Name under which this class is branded; a subclass without its own is matched by its prototype. */
  static readonly kind: string = 'RunwrightError'
  readonly code: string
  readonly details: Readonly<Record<string, Json | undefined>>
  readonly retryable: boolean

  constructor(message: string, options: RunwrightErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.kind
    this.code = options.code
    this.details = options.details ?? {}
    this.retryable = options.retryable ?? false
    Object.defineProperty(this, KINDS, { value: kindsOf(new.target), enumerable: false })
  }

  /** Whether a value is an error of this class, whichever copy of the package made it. */
  static is<T extends abstract new (...args: never[]) => unknown>(this: T, value: unknown): value is InstanceType<T> {
    // biome-ignore lint/complexity/noThisInStatic: `this` is the subclass on which it is called
    return hasKind(value, this as unknown as typeof RunwrightError)
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: `this` is the subclass on which it is called
    return hasKind(value, this as typeof RunwrightError)
  }

  /** Plain JSON form for logs and HTTP answers: name, code, message, details, retryable; without stack and cause. */
  toJSON(): { name: string; code: string; message: string; details: Readonly<Record<string, Json | undefined>>; retryable: boolean } {
    return { name: this.name, code: this.code, message: this.message, details: this.details, retryable: this.retryable }
  }
}

function kindsOf(errorClass: typeof RunwrightError): readonly string[] {
  const kinds: string[] = []
  for (let current: unknown = errorClass; typeof current === 'function' && 'kind' in current; current = Object.getPrototypeOf(current)) {
    if (Object.hasOwn(current, 'kind')) kinds.push(String(current.kind))
  }
  return kinds
}

function hasKind(value: unknown, errorClass: typeof RunwrightError): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (!Object.hasOwn(errorClass, 'kind')) return Object.prototype.isPrototypeOf.call(errorClass.prototype, value)
  const kinds = (value as { [KINDS]?: unknown })[KINDS]
  return Array.isArray(kinds) && kinds.includes(errorClass.kind)
}
