import { expect, it } from 'vitest'
import { mapError } from '../../../src/playwright/playwright-errors.js'

/** What Playwright throws at a deadline: its log, one line a thing that it did. */
function timeout(...log: readonly string[]) {
  return Object.assign(new Error(`locator.click: Timeout 1000ms exceeded.\nCall log:\n${log.map((line) => `  - ${line}`).join('\n')}`), {
    name: 'TimeoutError',
  })
}
const code = (...log: readonly string[]) => {
  const attempt = { what: 'click', target: { css: '#go' }, url: 'https://a.test/', timeoutMs: 1_000, wasFound: () => true }
  return (mapError(timeout('locator resolved to <button/>', ...log), attempt, new AbortController().signal) as { code: string }).code
}

const waiting = ['attempting click action', 'waiting for element to be visible, enabled and stable']

it('a click that may have happened is never one that was not possible', () => {
  expect(code(...waiting, 'element is not enabled', 'retrying click action')).toBe('TARGET_NOT_ACTIONABLE')
  expect(code(...waiting, 'performing click action', '<div id="cover"></div> intercepts pointer events', 'retrying click action')).toBe(
    'TARGET_NOT_ACTIONABLE',
  )
  expect(code(...waiting, 'performing click action')).toBe('ACTION_TIMEOUT')
  expect(code(...waiting, 'element is not stable', 'retrying click action', ...waiting, 'performing click action')).toBe('ACTION_TIMEOUT')
})
