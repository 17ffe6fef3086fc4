import type { Json } from './json.js'
import { RunwrightError } from './runwright-error.js'

type Details = Readonly<Record<string, Json | undefined>>

/** Base of what can go wrong with a saved browser profile. */
export class ProfileError extends RunwrightError {
  static override readonly kind: string = 'ProfileError'
}

/** No such profile in this organisation, or no kept state to make one from. Code `PROFILE_NOT_FOUND`. */
export class ProfileNotFoundError extends ProfileError {
  static override readonly kind = 'ProfileNotFoundError'
  constructor(message: string, details: Details) {
    super(message, { code: 'PROFILE_NOT_FOUND', details })
  }
}

/** The profile has the name that is wanted for another one. Code `PROFILE_EXISTS`. */
export class ProfileExistsError extends ProfileError {
  static override readonly kind = 'ProfileExistsError'
  constructor(name: string, browserProfileId: string | null) {
    super(`This organisation has a profile named ${JSON.stringify(name)} already`, {
      code: 'PROFILE_EXISTS',
      details: { name, browserProfileId },
    })
  }
}

/** Live sessions were made from the profile; `details.browserSessionIds` names them, at most 100. Code `PROFILE_IN_USE`. */
export class ProfileInUseError extends ProfileError {
  static override readonly kind = 'ProfileInUseError'
  constructor(browserProfileId: string, browserSessionIds: readonly string[]) {
    super(`Profile ${browserProfileId} is in use by ${browserSessionIds.join(', ')}`, {
      code: 'PROFILE_IN_USE',
      details: { browserProfileId, browserSessionIds: [...browserSessionIds] },
    })
  }
}

/** The state of a browser could not be saved: what was saved before stays as it was. Code `PROFILE_SAVE_FAILED`. */
export class ProfileSaveError extends ProfileError {
  static override readonly kind = 'ProfileSaveError'
  constructor(message: string, options: { cause?: unknown; retryable?: boolean; details?: Details }) {
    super(message, { code: 'PROFILE_SAVE_FAILED', ...options })
  }
}

/** A profile's stored bytes are gone, or are not what a save wrote. Code `PROFILE_UNREADABLE`. */
export class ProfileUnreadableError extends ProfileError {
  static override readonly kind = 'ProfileUnreadableError'
  constructor(what: string, reason: string, cause?: unknown) {
    super(`${what} cannot be read: ${reason}`, { code: 'PROFILE_UNREADABLE', cause, details: { reason } })
  }
}

/** Nobody knows a proxy of this name: the pool has no `proxies`, or its provider gave none. Code `PROXY_NOT_FOUND`. */
export class ProxyNotFoundError extends RunwrightError {
  static override readonly kind = 'ProxyNotFoundError'
  constructor(proxyLocation: string, reason: string, cause?: unknown) {
    super(`No proxy ${JSON.stringify(proxyLocation)}: ${reason}`, { code: 'PROXY_NOT_FOUND', cause, details: { proxyLocation } })
  }
}

/** Something of a session was to be recorded, and was not; `details.kind` says what. Code `RECORDING_FAILED`. */
export class RecordingError extends RunwrightError {
  static override readonly kind = 'RecordingError'
  constructor(recording: string, reason: string, cause?: unknown) {
    super(`No ${recording} could be recorded: ${reason}`, { code: 'RECORDING_FAILED', cause, details: { kind: recording, reason } })
  }
}
