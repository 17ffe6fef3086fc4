import { describe } from 'vitest'
import { detect } from '../../scripts/setup/detect.mjs'
import { nameWithReason } from './skip-reason.js'

/**
 * `describe`, skipped with a printed reason when there is one.
 *
 * @example
 * describeUnless(missing('chromium'), 'PlaywrightDriver', () => { … })
 */
export function describeUnless(reason: string | undefined, name: string, define: () => void): void {
  describe.skipIf(reason !== undefined)(reason === undefined ? name : nameWithReason(name, reason), define)
}

/** Why tests that need these programs cannot run on this machine; undefined when they can. */
export function missing(...programs: readonly ('chromium' | 'tigervnc')[]): string | undefined {
  const found = detect()
  const absent = programs.filter((program) => !found[program])
  return absent.length === 0 ? undefined : `${absent.join(' and ')} not found, which npm run setup brings`
}
