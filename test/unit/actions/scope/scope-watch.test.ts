import { describe, expect, it } from 'vitest'
import type { Guardrail } from '../../../../src/actions/index.js'
import { ScopeGuard } from '../../../../src/actions/scope/scope-guard.js'
import { parseScopePolicy } from '../../../../src/actions/scope/scope-policy.js'
import type { ActionInput, ScopePolicyInput } from '../../../../src/definition/index.js'
import type { BlockedRequest } from '../../../../src/sessions/index.js'
import type { FakePageControls, FakeSite } from '../../../../src/testing/index.js'
import { openBrowser } from '../kit.js'

const ERROR_PAGE = 'chrome-error://chromewebdata/'
const REFUSED = { host: 'evil.test', port: 443, rule: 'host', reason: 'not that one' }

const open = (url = 'https://example.com/'): ActionInput => ({ type: 'goto_url', url })
const click = (css: string): ActionInput => ({ type: 'click', target: { css } })

/** A scripted browser under a policy; `refuse` is the network refusing something. */
async function guarded(policy: ScopePolicyInput = { allowedDomains: ['example.com'] }, guardrails: readonly Guardrail[] = []) {
  const reported: BlockedRequest[] = []
  const scope = new ScopeGuard({ policies: [parseScopePolicy(policy)], guardrails, onBlocked: (request) => reported.push(request) })
  const refuse = (request: BlockedRequest = REFUSED) => scope.network.onBlocked(request)
  const leave = (page: FakePageControls, url: string) => page.goTo(url)
  const site: FakeSite = {
    'https://example.com/': {
      title: 'Home',
      elements: [
        { css: '#in', onClick: 'https://example.com/next' },
        { css: '#out', onClick: 'https://evil.test/' },
        { css: '#popup', onClick: (page) => void page.openPopup('https://evil.test/') },
        { css: '#good-popup', onClick: (page) => void page.openPopup('https://example.com/next') },
        { css: '#frame', onClick: 'https://example.com/framed' },
        {
          css: '#refused',
          onClick: (page) => {
            refuse()
            leave(page, ERROR_PAGE)
          },
        },
        {
          css: '#broken',
          onClick: (page) => {
            refuse({ ...REFUSED, host: 'ads.test' })
            leave(page, 'chrome-error://other/')
          },
        },
        { css: '#ads', onClick: () => refuse({ ...REFUSED, host: 'ads.test' }) },
      ],
    },
    'https://example.com/next': { title: 'Next', elements: [{ css: '#back' }] },
    'https://example.com/framed': { title: 'Framed', frames: ['about:srcdoc', 'data:text/html,x', 'https://evil.test/frame'] },
    'https://example.com/leaves': { redirectsTo: 'https://evil.test/' },
    'https://evil.test/': { title: 'Evil' },
    [ERROR_PAGE]: { title: 'evil.test' },
    'chrome-error://other/': { title: 'example.com' },
  }
  const host = await openBrowser(site, { scope })
  const urls = () => host.browser.pages().map((page) => page.url())
  return { ...host, scope, reported, refuse, urls }
}

const blockedBy = (rule: string) => ({ status: 'blocked', error: { code: 'ACTION_BLOCKED', details: { rule } } })

describe('after an action', () => {
  it('a page that has left is brought back, and the action is blocked', async () => {
    const { act, urls, records } = await guarded()
    await act(open())
    expect(await act(click('#out'))).toMatchObject({ ...blockedBy('host'), error: { details: { url: 'https://evil.test/' } } })
    expect(urls()).toEqual(['https://example.com/'])
    expect(records.map(({ status }) => status)).toEqual(['completed', 'blocked'])
    expect((await act(click('#in'))).status).toBe('completed')
  })

  it('one without a page before it is emptied', async () => {
    const { act, urls } = await guarded()
    expect(await act(open('https://example.com/leaves'))).toMatchObject(blockedBy('host'))
    expect(urls()).toEqual(['about:blank'])
  })

  it('a pop-up outside is closed, one inside stays', async () => {
    const { act, urls } = await guarded()
    await act(open())
    expect(await act(click('#popup'))).toMatchObject(blockedBy('host'))
    expect(urls()).toEqual(['https://example.com/'])
    expect((await act(click('#good-popup'))).status).toBe('completed')
    expect(urls()).toEqual(['https://example.com/', 'https://example.com/next'])
  })

  it('a frame outside takes its page back', async () => {
    const { act, urls } = await guarded()
    await act(open())
    expect(await act(click('#frame'))).toMatchObject({ ...blockedBy('host'), error: { details: { url: 'https://evil.test/frame' } } })
    expect(urls()).toEqual(['https://example.com/'])
  })

  it('an error page that a refused request explains counts as one that has left', async () => {
    const { act, urls } = await guarded()
    await act(open())
    expect(await act(click('#refused'))).toMatchObject({ ...blockedBy('host'), error: { details: { url: 'evil.test:443' } } })
    expect(urls()).toEqual(['https://example.com/'])
  })

  it('an error page of another host does not, nor does a page that was refused a part of it', async () => {
    const { act, urls } = await guarded()
    await act(open())
    expect((await act(click('#ads'))).status).toBe('completed')
    expect((await act(click('#broken'))).status).toBe('completed')
    expect(urls()).toEqual(['chrome-error://other/'])
  })
})

describe('before an action', () => {
  it('pages that went out by themselves are brought back, and the request is told', async () => {
    const { act, page, urls, reported } = await guarded()
    await act(open())
    page().goTo('https://evil.test/')
    expect((await act(click('#in'))).status).toBe('completed')
    expect(urls()).toEqual(['https://example.com/next'])
    expect(reported).toEqual([{ ...REFUSED, reason: expect.any(String), url: 'https://evil.test/' }])
  })

  it('so are those that the network did not let out, of which it has told itself', async () => {
    const { act, page, urls, reported, refuse } = await guarded()
    await act(open())
    refuse()
    page().goTo(ERROR_PAGE)
    expect((await act(click('#in'))).status).toBe('completed')
    expect(urls()).toEqual(['https://example.com/next'])
    expect(reported).toHaveLength(1)
  })

  it('a pop-up that came meanwhile is closed, and the action goes to the page below it', async () => {
    const { act, browser, urls } = await guarded()
    await act(open())
    browser.openPage('https://evil.test/')
    expect((await act(click('#in'))).status).toBe('completed')
    expect(urls()).toEqual(['https://example.com/next'])
  })

  it('nothing is done when the action itself is refused', async () => {
    const { act, page } = await guarded({ allowedDomains: ['example.com'], allowedActions: ['goto_url'] })
    await act(open())
    expect(await act(click('#in'))).toMatchObject(blockedBy('action_type'))
    expect(await act(open('evil.test'))).toMatchObject(blockedBy('host'))
    expect(page().log.map(({ type }) => type)).toEqual(['navigate'])
  })

  it('guardrails see the action with placeholders and the page, and may refuse', async () => {
    const asked: unknown[] = []
    const guardrail: Guardrail = ({ action, page, blockLabel }) => {
      asked.push({ type: action.type, value: 'value' in action ? action.value : null, url: page?.url, blockLabel })
      return action.type === 'input_text' ? { allow: false, reason: 'no typing' } : { allow: true }
    }
    const { act } = await guarded({ allowedDomains: ['example.com'] }, [guardrail])
    await act(open())
    expect(await act({ type: 'input_text', target: { css: '#name' }, value: '{{ KEY }}' })).toMatchObject({
      ...blockedBy('guardrail'),
      error: { message: expect.stringContaining('no typing') },
    })
    expect(asked).toEqual([
      { type: 'goto_url', value: null, url: 'about:blank', blockLabel: 'a' },
      { type: 'input_text', value: '{{ KEY }}', url: 'https://example.com/', blockLabel: 'a' },
    ])
  })

  it('guardrails see no secret of an action or of the page that it goes to, and the action is done with it', async () => {
    const asked: unknown[] = []
    const guardrail: Guardrail = ({ action, page }) => {
      asked.push({ action, page })
      return { allow: true }
    }
    const { act, page } = await guarded({ allowedDomains: ['example.com'] }, [guardrail])
    await act(open())
    page().goTo('https://example.com/next?word=hunter2')
    await act(open('https://example.com/?word=hunter2'))
    expect(asked.at(-1)).toMatchObject({
      action: { type: 'goto_url', url: 'https://example.com/?word={{ KEY }}' },
      page: { url: 'https://example.com/next?word={{ KEY }}' },
    })
    expect(JSON.stringify(asked)).not.toContain('hunter2')
    expect(page().log).toContainEqual(expect.objectContaining({ type: 'navigate', url: 'https://example.com/?word=hunter2' }))
  })
})

it('tabs that an earlier lease has left outside are emptied at the first look', async () => {
  const { act, browser, urls } = await guarded()
  browser.openPage('https://evil.test/')
  browser.openPage('https://example.com/next')
  expect((await act(open())).status).toBe('completed')
  expect(urls()).toEqual(['about:blank', 'about:blank', 'https://example.com/'])
})

it('of pages that are all outside, one stays', async () => {
  const { act, browser, urls } = await guarded()
  await act(open())
  await browser.pages()[0]?.close({ signal: new AbortController().signal, timeoutMs: 1_000 })
  browser.openPage('https://evil.test/')
  browser.openPage('https://evil.test/')
  await act({ type: 'wait_for', loadState: 'load' })
  expect(urls()).toEqual(['about:blank'])
})

it('pages that do not let go hold nobody up for more than 3 seconds, and are found again', async () => {
  const { act, browser, clock, urls } = await guarded()
  await act(open())
  const hanging = [browser.openPage('https://evil.test/'), browser.openPage('https://evil.test/')]
  const closes = hanging.map((page) => page.close.bind(page))
  for (const page of hanging) Object.assign(page, { close: () => new Promise(() => {}) })
  const result = act({ type: 'switch_tab', index: 0 })
  let isOver = false
  void result.then(() => {
    isOver = true
  })
  await clock.advance(6_100) // once before the action, once after it
  expect(isOver).toBe(true)
  expect(await result).toMatchObject(blockedBy('host'))
  for (const [index, page] of hanging.entries()) Object.assign(page, { close: closes[index] })
  await act({ type: 'wait_for', loadState: 'load' })
  expect(urls()).toEqual(['https://example.com/', 'about:blank', 'about:blank'])
})

describe('blinders', () => {
  it('are those of the scope, and none without one: an earlier lease may have left some', async () => {
    const { act, browser, context } = await guarded({ allowedDomains: ['example.com'], blinders: ['#in'] })
    await act(open())
    expect(await act({ ...click('#in'), timeoutMs: 100 } as ActionInput)).toMatchObject({ status: 'blocked' })
    Object.assign(context, { scope: null })
    expect((await act(click('#in'))).status).toBe('completed')
    expect(browser.pages()[0]?.url()).toBe('https://example.com/next')
  })
})

it('a cancel does not keep a page from being brought back', async () => {
  const { act, control, urls, browser } = await guarded()
  await act(open())
  const page = browser.pages()[0]
  const settle = page?.settle.bind(page)
  Object.assign(page ?? {}, {
    settle: async (...params: Parameters<NonNullable<typeof settle>>) => {
      control.abort(new Error('canceled'))
      params[0].signal.throwIfAborted()
    },
  })
  expect(await act(click('#out'))).toMatchObject({ status: 'blocked' })
  expect(urls()).toEqual(['https://example.com/'])
})
