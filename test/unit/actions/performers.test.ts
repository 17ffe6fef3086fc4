import { describe, expect, it } from 'vitest'
import type { ActionInput } from '../../../src/definition/index.js'
import { openBrowser } from './kit.js'

const site = {
  'https://a.test/': {
    title: 'A page',
    elements: [
      { css: '#go', role: 'button', name: 'Go' },
      { css: '#name', label: 'Name', value: 'old ', placeholder: 'Your name' },
      { css: '#list' },
      { css: '#box', checked: true },
      { css: '#empty_box' },
      { css: '#file' },
      { css: '#from' },
      { css: '#to' },
      { css: '#total', text: ' 12,50 € ', attributes: { 'data-amount': '12.5' } },
      { css: '#off', disabled: true, text: 'off' },
      { css: '#hidden', hidden: true, text: 'psst' },
      { css: '.row', text: 'one' },
      { css: '.row', text: 'two' },
      { css: '#later', text: 'at last', appearsAfterMs: 2_000 },
    ],
  },
  'https://b.test/': { title: 'B page', httpStatus: 404 },
}
const open = { type: 'goto_url' as const, url: 'https://a.test/' }

async function openPage() {
  const all = await openBrowser(site)
  await all.act(open)
  return all
}

describe('an action on an element', () => {
  const cases: [ActionInput, object][] = [
    [
      { type: 'click', target: { role: 'button', name: 'go' }, button: 'right', clickCount: 2 },
      { type: 'click', button: 'right', clickCount: 2 },
    ],
    [{ type: 'hover', target: { css: '#go' } }, { type: 'hover' }],
    [
      { type: 'input_text', target: { label: 'Name' }, value: 'new' },
      { type: 'input_text', value: 'new', clear: true },
    ],
    [
      { type: 'select_option', target: { css: '#list' }, value: 'two' },
      { type: 'select_option', value: 'two' },
    ],
    [{ type: 'select_option', target: { css: '#list' }, values: ['a', 'b'] }, { values: ['a', 'b'] }],
    [{ type: 'check', target: { css: '#empty_box' } }, { type: 'check' }],
    [{ type: 'uncheck', target: { css: '#box' } }, { type: 'uncheck' }],
    [
      { type: 'press_key', key: 'Enter', target: { css: '#name' } },
      { type: 'press_key', key: 'Enter' },
    ],
    [
      { type: 'press_key', key: 'Control+A' },
      { type: 'press_key', key: 'Control+A' },
    ],
    [
      { type: 'upload_file', target: { css: '#file' }, file: 'art_1' },
      { type: 'upload_file', file: 'data:,bytes of art_1' },
    ],
    [
      { type: 'drag_and_drop', target: { css: '#from' }, destination: { css: '#to' } },
      { type: 'drag_and_drop', destination: { css: '#to' } },
    ],
    [
      { type: 'scroll', direction: 'down', amountPx: 300 },
      { type: 'scroll', direction: 'down', amountPx: 300 },
    ],
  ]

  it.each(cases)('reaches the page as it is: %j', async (action, expected) => {
    const { act, page } = await openPage()
    expect(await act(action)).toMatchObject({ status: 'completed', error: null, value: null })
    expect(page().log.at(-1)).toMatchObject(expected)
  })

  it('changes what the page holds', async () => {
    const { act, page } = await openPage()
    await act({ type: 'input_text', target: { css: '#name' }, value: 'new', clear: false })
    await act({ type: 'uncheck', target: { css: '#box' } })
    const [name, box] = ['#name', '#box'].map((css) =>
      page()
        .elements()
        .find((element) => element.css === css),
    )
    expect([name?.value, box?.checked]).toEqual(['old new', false])
  })
})

describe('an action on the page', () => {
  it('opens addresses, goes back, reloads', async () => {
    const { act } = await openPage()
    expect(await act({ type: 'goto_url', url: 'b.test' })).toMatchObject({
      value: { url: 'https://b.test', title: 'B page', httpStatus: 404 },
    })
    expect(await act({ type: 'reload' })).toMatchObject({ url: 'https://b.test' })
    expect(await act({ type: 'go_back' })).toMatchObject({ url: 'https://a.test/', value: { title: 'A page' } })
    expect(await act({ type: 'goto_url', url: 'https://nowhere.test/' })).toMatchObject({
      status: 'failed',
      error: { code: 'NAVIGATION_FAILED' },
    })
  })

  it('opens, switches and closes tabs, and says where it is then', async () => {
    const { act, browser } = await openPage()
    expect(await act({ type: 'new_tab', url: 'https://b.test/' })).toMatchObject({ url: 'https://b.test/', value: { title: 'B page' } })
    expect(await act({ type: 'new_tab' })).toMatchObject({ url: 'about:blank', value: null })
    expect(await act({ type: 'switch_tab', index: 0 })).toMatchObject({ url: 'https://a.test/' })
    expect(await act({ type: 'switch_tab', title: 'b PAGE' })).toMatchObject({ url: 'https://b.test/' })
    expect(await act({ type: 'switch_tab', url: 'https://a.test/' })).toMatchObject({ url: 'https://a.test/' })
    expect(await act({ type: 'switch_tab', index: -1 })).toMatchObject({ url: 'about:blank' })
    expect(await act({ type: 'close_tab' })).toMatchObject({ status: 'completed', url: 'https://b.test/' })
    expect(await act({ type: 'close_tab', index: 0 })).toMatchObject({ status: 'completed', url: 'https://b.test/' })
    expect(browser.pages()).toHaveLength(1)
    expect(await act({ type: 'close_tab' })).toMatchObject({ status: 'completed', url: null })
    expect(browser.pages()).toHaveLength(0)
  })

  it.each([
    [{ type: 'switch_tab' as const, index: 5 }, /no tab 5; 1 are open/],
    [{ type: 'switch_tab' as const, title: 'nobody' }, /title "nobody"/],
    [{ type: 'switch_tab' as const, url: 'https://b.test/' }, /address https:\/\/b\.test\//],
    [{ type: 'close_tab' as const, index: 9 }, /no tab 9/],
  ])('names a tab that is not there: %j', async (action, message) => {
    const { act } = await openPage()
    const result = await act(action)
    expect(result).toMatchObject({ status: 'failed', error: { code: 'NO_PAGE' } })
    expect(result.error?.message).toMatch(message)
  })

  it('takes pictures, and gives their artifact ids', async () => {
    const { act, pictures, records } = await openPage()
    expect(await act({ type: 'screenshot' })).toMatchObject({ status: 'completed', value: 'art_1' })
    expect(pictures).toEqual(['picture of https://a.test/'])
    expect(records.at(-1)?.screenshotArtifactId).toBe('art_1')
  })

  it('extracts, under a key where one is named', async () => {
    const { act } = await openPage()
    const selectors = { amount: { css: '#total', attr: 'data-amount', type: 'number' as const }, rows: { css: '.row', all: true as const } }
    expect((await act({ type: 'extract', selectors })).value).toEqual({ amount: 12.5, rows: ['one', 'two'] })
    expect((await act({ type: 'extract', selectors: { amount: '#total' }, as: 'sum' })).value).toEqual({ sum: { amount: '12,50 €' } })
    expect(await act({ type: 'extract', selectors: { x: '#nobody' } })).toMatchObject({
      status: 'failed',
      error: { code: 'EXTRACTION_FAILED' },
    })
  })
})

describe('waiting', () => {
  it('is for a time, without a page', async () => {
    const { act, clock } = await openBrowser({}, { browser: () => Promise.reject(new Error('no browser')) })
    const waiting = act({ type: 'wait', waitSec: 90 })
    await clock.advance(90_000)
    expect(await waiting).toMatchObject({ status: 'completed', durationMs: 90_000, url: null })
  })

  it.each([
    [{ target: { css: '#later' } }, 2_000],
    [{ target: { css: '#later' }, state: 'attached' as const }, 2_000],
    [{ text: 'at last' }, 2_000],
    [{ target: { css: '#hidden' }, state: 'hidden' as const }, 0],
    [{ target: { css: '#nobody' }, state: 'detached' as const }, 0],
    [{ url: 'https://a.test/*' }, 0],
    [{ loadState: 'networkidle' as const }, 0],
  ])('is for %j', async (condition, afterMs) => {
    const { act, clock } = await openPage()
    const waiting = act({ type: 'wait_for', ...condition } as ActionInput)
    await clock.advance(afterMs)
    expect(await waiting).toMatchObject({ status: 'completed', durationMs: afterMs })
  })

  it('for what never comes fails at its deadline', async () => {
    const { act, clock } = await openPage()
    const waiting = act({ type: 'wait_for', target: { css: '#nobody' }, timeoutMs: 700 })
    await clock.advance(700)
    expect(await waiting).toMatchObject({ status: 'failed', durationMs: 700, error: { code: 'ACTION_TIMEOUT' } })
  })
})

describe('assert', () => {
  const passes: object[] = [
    { target: { css: '#go' } },
    { target: { css: '#go' }, state: 'visible' },
    { target: { css: '#hidden' }, state: 'hidden' },
    { target: { css: '#nobody' }, state: 'hidden' },
    { target: { css: '#hidden' }, state: 'attached' },
    { target: { css: '#nobody' }, state: 'detached' },
    { target: { css: '#go' }, state: 'enabled' },
    { target: { css: '#off' }, state: 'disabled' },
    { target: { css: '#box' }, state: 'checked' },
    { target: { css: '#empty_box' }, state: 'unchecked' },
    { target: { css: '#total' }, text: '12,50' },
    { target: { css: '#name' }, value: 'old ' },
    { target: { css: '.row' }, count: 2 },
    { target: { css: '#nobody' }, count: 0 },
    { url: 'https://a.test/*' },
    { text: 'two' },
    { url: 'https://a.test/', text: 'one' },
  ]
  it.each(passes)('holds: %j', async (claim) => {
    const { act } = await openPage()
    expect(await act({ type: 'assert', ...claim } as ActionInput)).toMatchObject({ status: 'completed', error: null })
  })

  const failures: [object, string, unknown][] = [
    [{ target: { css: '#nobody' } }, 'visible', 'nothing that matches'],
    [{ target: { css: '#hidden' } }, 'visible', 'not visible'],
    [{ target: { css: '#go' }, state: 'hidden' }, 'hidden', 'not hidden'],
    [{ target: { css: '#nobody' }, state: 'attached' }, 'attached', 'nothing that matches'],
    [{ target: { css: '#go' }, state: 'detached' }, 'detached', 'not detached'],
    [{ target: { css: '#off' }, state: 'enabled' }, 'enabled', 'not enabled'],
    [{ target: { css: '#nobody' }, state: 'disabled' }, 'disabled', 'nothing that matches'],
    [{ target: { css: '#empty_box' }, state: 'checked' }, 'checked', 'not checked'],
    [{ target: { css: '#box' }, state: 'unchecked' }, 'unchecked', 'not unchecked'],
    [{ target: { css: '#total' }, text: '99' }, 'text "99"', '12,50 €'],
    [{ target: { css: '#name' }, value: 'old' }, 'value "old"', 'old '],
    [{ target: { css: '.row' }, count: 3 }, '3 matches', '2'],
    [{ target: { css: '#hidden' }, text: 'psst', state: 'visible' }, 'visible', 'not visible'],
    [{ url: 'https://b.test/' }, 'https://b.test/', 'https://a.test/'],
  ]
  it.each(failures)('fails, saying what was expected and what was found: %j', async (claim, expected, received) => {
    const { act } = await openPage()
    expect(await act({ type: 'assert', ...claim } as ActionInput)).toMatchObject({
      status: 'failed',
      error: { code: 'ASSERTION_FAILED', details: { expected, received } },
    })
  })

  it('waits for a text of the page until its deadline', async () => {
    const { act, clock } = await openPage()
    const late = act({ type: 'assert', text: 'at last' })
    await clock.advance(2_000)
    expect((await late).status).toBe('completed')
    const never = act({ type: 'assert', text: 'never', timeoutMs: 100 })
    await clock.advance(100)
    expect(await never).toMatchObject({ status: 'failed', error: { code: 'ASSERTION_FAILED', details: { expected: 'text "never"' } } })
  })

  it('does not take a closed page for a missing text', async () => {
    const { act, page, clock } = await openPage()
    const asserting = act({ type: 'assert', text: 'never' })
    await clock.advance(10)
    page().end()
    expect(await asserting).toMatchObject({ status: 'failed', error: { code: 'PAGE_CLOSED' } })
  })
})
