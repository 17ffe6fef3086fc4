import type { BrowserType } from 'playwright-core'
import { DependencyMissingError } from '../errors/index.js'

/**
 * Loads playwright-core on first use, so that importing this entry never fails.
 *
 * @throws {DependencyMissingError} `DEPENDENCY_MISSING` when the optional peer is not installed
 */
export async function loadPlaywright(): Promise<BrowserType> {
  try {
    const { chromium } = await import('playwright-core')
    return chromium
  } catch (cause) {
    throw new DependencyMissingError('playwright-core', 'PlaywrightDriver', cause)
  }
}
