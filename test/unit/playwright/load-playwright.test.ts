import { expect, it, vi } from 'vitest'
import { loadPlaywright } from '../../../src/playwright/load-playwright.js'

vi.mock('playwright-core', () => {
  throw new Error('Cannot find package')
})

it('names the missing package when playwright-core is first needed, not when the entry is imported', async () => {
  await expect(loadPlaywright()).rejects.toMatchObject({
    code: 'DEPENDENCY_MISSING',
    message: /npm install playwright-core/,
    details: { package: 'playwright-core', neededBy: 'PlaywrightDriver' },
  })
})
