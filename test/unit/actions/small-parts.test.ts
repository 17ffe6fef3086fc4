import { describe, expect, it } from 'vitest'
import { type ActionResult, absoluteUrl, bindAction, createPageFacade, describeAction } from '../../../src/actions/index.js'
import { ACTION_TYPES, type Action, type ActionInput } from '../../../src/definition/index.js'
import { ActionError } from '../../../src/errors/index.js'
import { parse } from './kit.js'

describe('absoluteUrl', () => {
  it.each([
    ['example.com', 'https://example.com'],
    [' example.com/a?b=c#d ', 'https://example.com/a?b=c#d'],
    ['http://example.com', 'http://example.com'],
    ['HTTPS://example.com', 'HTTPS://example.com'],
    ['localhost:8080', 'https://localhost:8080'],
    ['localhost:8080/path', 'https://localhost:8080/path'],
    ['localhost:8080?a=b', 'https://localhost:8080?a=b'],
    ['localhost:8080#top', 'https://localhost:8080#top'],
    ['127.0.0.1:3000/x', 'https://127.0.0.1:3000/x'],
    ['[::1]:3000/x', 'https://[::1]:3000/x'],
    ['about:blank', 'about:blank'],
    ['data:text/html,hello', 'data:text/html,hello'],
    ['xn--bcher-kva.example', 'https://xn--bcher-kva.example'],
  ])('%s → %s', (given, expected) => {
    expect(absoluteUrl(given)).toBe(expected)
  })

  it.each(['', '   ', 'http://', 'exa mple.com', 'https://exa mple.com', 'example.com:99999'])('refuses "%s"', (given) => {
    expect(() => absoluteUrl(given)).toThrow(ActionError)
    try {
      absoluteUrl(given)
    } catch (error) {
      expect(error).toMatchObject({ code: 'NAVIGATION_FAILED', details: { url: given } })
    }
  })
})

describe('describeAction', () => {
  it.each<[ActionInput, string]>([
    [{ type: 'click', target: { role: 'button', name: 'Sign in' } }, 'click button "Sign in"'],
    [{ type: 'click', target: { role: 'button' } }, 'click button'],
    [{ type: 'click', target: { css: '#total', nth: 2 } }, 'click css "#total" nth 2'],
    [{ type: 'hover', target: { xpath: '//a', frame: ['#outer', '#inner'] } }, 'hover xpath "//a" in frame "#outer" > "#inner"'],
    [{ type: 'check', target: { label: 'Remember me' } }, 'check label "Remember me"'],
    [{ type: 'goto_url', url: 'https://a.test/' }, 'goto_url https://a.test/'],
    [{ type: 'press_key', key: 'Enter' }, 'press_key Enter'],
    [{ type: 'reload' }, 'reload'],
  ])('%j → %s', (action, expected) => {
    expect(describeAction(parse(action))).toBe(expected)
  })

  it('never holds a value', () => {
    const value = 'hunter2'
    const actions: ActionInput[] = [
      { type: 'input_text', target: { css: '#a' }, value },
      { type: 'select_option', target: { css: '#a' }, value },
      { type: 'select_option', target: { css: '#a' }, values: [value] },
      { type: 'assert', target: { css: '#a' }, value },
      { type: 'assert', text: value },
      { type: 'wait_for', text: value },
      { type: 'upload_file', target: { css: '#a' }, file: value },
      { type: 'terminate', reason: value, errorCode: value },
      { type: 'extract', selectors: { a: value }, as: value },
    ]
    for (const action of actions) expect(describeAction(parse(action))).not.toContain(value)
  })
})

describe('bindAction', () => {
  it('maps every text that is a template, and no other', () => {
    const action = parse({
      type: 'extract',
      intention: 'read',
      selectors: {
        type: 'a',
        state: { css: 'b', pattern: 'c', type: 'string' },
        list: { css: 'd', each: { pattern: 'e', inner: { css: 'f', pattern: 'g' } } },
      },
    })
    const seen: string[] = []
    const bound = bindAction(action, (text) => {
      seen.push(text)
      return `<${text}>`
    })
    expect(seen.sort()).toEqual(['a', 'b', 'd', 'e', 'f'])
    expect(bound).toMatchObject({
      type: 'extract',
      intention: 'read',
      selectors: { type: '<a>', state: { css: '<b>', pattern: 'c', type: 'string' } },
    })
    expect(action).toMatchObject({ selectors: { type: 'a' } })
  })
})

describe('the page facade', () => {
  function facade(result: Partial<ActionResult> = {}) {
    const calls: Action[] = []
    const page = createPageFacade(async (action) => {
      calls.push(action)
      const shared = { actionId: 'act_1', element: null, dialogs: [], recoveryUsed: null, verdict: 'ok' as const, dryRun: false }
      return {
        ...shared,
        type: action.type,
        status: 'completed',
        value: null,
        error: null,
        ending: null,
        url: null,
        durationMs: 0,
        ...result,
      }
    })
    return { page, calls }
  }

  it('makes an action of every call', async () => {
    const { page, calls } = facade()
    await page.goto('a.test', { timeoutMs: 5 })
    await page.click('#a', { intention: 'why' })
    await page.hover({ role: 'link' })
    await page.fill({ label: 'Name' }, 'Ada')
    await page.select('#list', 'two')
    await page.check('#box')
    await page.uncheck('#box')
    await page.press('Enter')
    await page.press('Tab', { target: '#a', timeoutMs: 9 })
    await page.waitFor('#late')
    await page.extract({ a: '#a' })
    await page.screenshot({ fullPage: true })
    await page.perform({ type: 'reload' })
    expect(calls).toMatchObject([
      { type: 'goto_url', url: 'a.test', timeoutMs: 5 },
      { type: 'click', target: { css: '#a' }, intention: 'why', button: 'left' },
      { type: 'hover', target: { role: 'link' } },
      { type: 'input_text', target: { label: 'Name' }, value: 'Ada', clear: true },
      { type: 'select_option', target: { css: '#list' }, value: 'two' },
      { type: 'check', target: { css: '#box' } },
      { type: 'uncheck', target: { css: '#box' } },
      { type: 'press_key', key: 'Enter' },
      { type: 'press_key', key: 'Tab', target: { css: '#a' }, timeoutMs: 9 },
      { type: 'wait_for', target: { css: '#late' } },
      { type: 'extract', selectors: { a: '#a' } },
      { type: 'screenshot', fullPage: true },
      { type: 'reload' },
    ])
    expect(ACTION_TYPES).toEqual(expect.arrayContaining(calls.map(({ type }) => type)))
  })

  it('gives values, and throws failures', async () => {
    expect(await facade({ value: { a: 1 } }).page.extract({ a: '#a' })).toEqual({ a: 1 })
    const error = new ActionError('no', { code: 'TARGET_NOT_FOUND' })
    await expect(facade({ status: 'failed', error }).page.click('#a')).rejects.toBe(error)
  })

  it.each<[string, (page: ReturnType<typeof createPageFacade>) => Promise<unknown>, string]>([
    ['an empty selector', (page) => page.click(''), 'target.css'],
    ['no target', (page) => page.click(undefined as never), 'target'],
    ['two ways at once', (page) => page.click({ css: '#a', text: 'b' }), 'target'],
    ['an unknown option', (page) => page.click('#a', { timeout: 5 } as never), ''],
    ['a deadline of nothing', (page) => page.click('#a', { timeoutMs: 0 }), 'timeoutMs'],
    ['a value that is no text', (page) => page.fill('#a', 5 as never), 'value'],
    ['an unknown type', (page) => page.perform({ type: 'jump' } as never), 'type'],
    ['nothing', (page) => page.perform(undefined as never), ''],
  ])('refuses %s before anything happens', async (_, call, path) => {
    const { page, calls } = facade()
    await expect(call(page)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', details: { path: expect.stringContaining(path) } })
    expect(calls).toEqual([])
  })
})
