import { InvalidArgumentError } from '../errors/index.js'
import { eventSchemas } from '../events/index.js'
import type { SessionLease } from './session-lease.js'

function refuse(what: string, expected: string, received: unknown): never {
  const kind = received === null ? 'null' : typeof received
  throw new InvalidArgumentError(`${what}: expected ${expected}`, { path: '(all)', expected, received: kind })
}

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT` */
export function assertFunction(value: unknown, what: string): void {
  if (typeof value !== 'function') refuse(what, 'a function', value)
}

/** Of this copy of the package or of another. @throws {InvalidArgumentError} `INVALID_ARGUMENT` */
export function assertLease(value: unknown, what: string): asserts value is SessionLease {
  const lease = value as Partial<SessionLease> | null | undefined
  if (typeof lease !== 'object' || lease === null || typeof lease.release !== 'function') refuse(what, 'a SessionLease', value)
}

/** Whether a pool emits events of this type. */
const isOfPool = (type: string) =>
  /^(session|profile)\./.test(type) || ['artifact.saved', 'artifact.failed', 'display.degraded'].includes(type)

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT` */
export function assertPoolEvent(type: unknown): void {
  if (typeof type === 'string' && Object.hasOwn(eventSchemas, type) && isOfPool(type)) return
  const types = Object.keys(eventSchemas).filter(isOfPool)
  const received = typeof type === 'string' ? JSON.stringify(type.slice(0, 80)) : String(typeof type)
  throw new InvalidArgumentError('on: no such event of a SessionPool', { path: 'type', expected: types.join(', '), received })
}

/** Whether a request of `use` names a session; what is no object is refused by the parsing of `acquire`. */
export function namesSession<T extends object>(request: T): request is T & { browserSessionId: string } {
  return typeof request === 'object' && request !== null && 'browserSessionId' in request
}

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT` where neither the call nor the pool names one */
export function organizationOf(organizationId: string | undefined): string {
  if (organizationId !== undefined) return organizationId
  throw new InvalidArgumentError('organizationId is missing: name it in the call, or give the SessionPool one', {
    path: 'organizationId',
    expected: 'string',
    received: 'undefined',
  })
}
