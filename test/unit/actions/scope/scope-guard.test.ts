import { describe, expect, it, vi } from 'vitest'
import type { Guardrail, GuardrailRequest } from '../../../../src/actions/scope/action-scope.js'
import { ScopeGuard } from '../../../../src/actions/scope/scope-guard.js'
import { parseScopePolicy } from '../../../../src/actions/scope/scope-policy.js'
import type { Action, ScopePolicyInput } from '../../../../src/definition/index.js'
import { InvalidArgumentError } from '../../../../src/errors/index.js'
import { FakeClock } from '../../../../src/testing/index.js'

const guardOf = (...policies: ScopePolicyInput[]) => new ScopeGuard({ policies: policies.map((policy) => parseScopePolicy(policy)) })
const goto = (url: string) => ({ type: 'goto_url', url, onFailure: 'abort' }) as Action
const rule = (guard: ScopeGuard, url: string, kind: 'page' | 'frame' = 'page') => guard.checkUrl(url, kind)?.rule ?? null

describe('addresses of pages', () => {
  const guard = guardOf({ allowedDomains: ['example.com'], relatedAuth: ['login.test.org'], blockedDomains: ['ads.example.com'] })

  it.each([
    'https://example.com',
    'http://APP.example.com./x',
    'https://login.test.org/',
    'blob:https://example.com/1',
    'about:blank',
    '',
    'about:srcdoc',
  ])('%s is in scope', (url) => expect(rule(guard, url)).toBeNull())

  it.each([
    ['https://login.com/', 'host'],
    ['https://evil-example.com/', 'host'],
    ['https://example.com.evil.test/', 'host'],
    ['https://xn--xample-9uf.com/', 'host'],
    ['https://еxample.com/', 'host'],
    ['https://ads.example.com/', 'blocked_host'],
    ['https://a.ads.example.com/', 'blocked_host'],
    ['https://example.com@evil.test/', 'userinfo'],
    ['https://user:word@example.com/', 'userinfo'],
    ['blob:https://evil.test/1', 'host'],
    ['blob:null/1', 'scheme'],
    ['data:text/html,x', 'scheme'],
    ['javascript:alert(1)', 'scheme'],
    ['view-source:https://example.com/', 'scheme'],
    ['chrome://version', 'scheme'],
    ['about:version', 'scheme'],
    ['devtools://devtools/x', 'scheme'],
    ['filesystem:https://example.com/x', 'scheme'],
    ['chrome-extension://abc/x', 'scheme'],
    ['file:///etc/passwd', 'scheme'],
    ['ftp://example.com/', 'scheme'],
    ['https://[::1/', 'invalid_address'],
  ])('%s is refused: %s', (url, expected) => expect(rule(guard, url)).toBe(expected))

  it('are judged by the web alone in frames', () => {
    expect(rule(guard, 'data:text/html,x', 'frame')).toBeNull()
    expect(rule(guard, 'blob:null/1', 'frame')).toBeNull()
    expect(rule(guard, 'file:///etc/passwd', 'frame')).toBe('scheme')
    expect(rule(guardOf({ allowFileUrls: true }), 'file:///etc/passwd', 'frame')).toBe('scheme')
    expect(rule(guardOf({ allowFileUrls: true }), 'file:///etc/passwd')).toBeNull()
  })

  it.each([
    'http://2130706433/',
    'http://0x7f.1/',
    'http://0177.1/',
    'http://127.1/',
    'http://[::ffff:127.0.0.1]/',
    'http://localhost:1/',
    'http://[::]/',
  ])('%s is of this machine, in whatever notation', (url) => {
    expect(rule(guardOf({}), url)).toBe('private_network')
    expect(rule(guardOf({ allowPrivateNetwork: true }), url)).toBeNull()
  })

  it('names what was expected', () => {
    expect(guard.checkUrl('https://login.com/x', 'page')).toEqual({
      rule: 'host',
      reason: 'login.com is not among the allowed domains (example.com)',
      url: 'https://login.com/x',
    })
  })
})

describe('actions', () => {
  it('are refused by type, and by the address that they open, written with or without a scheme', () => {
    const guard = guardOf({ allowedDomains: ['example.com'], allowedActions: ['goto_url', 'new_tab'] })
    expect(guard.checkAction({ type: 'click', target: { css: 'a' } } as Action)).toMatchObject({ rule: 'action_type' })
    expect(guard.checkAction(goto('example.com/x'))).toBeNull()
    expect(guard.checkAction(goto('example.com:8443'))).toBeNull()
    expect(guard.checkAction(goto('evil.test'))).toMatchObject({ rule: 'host' })
    expect(guard.checkAction({ type: 'new_tab', url: 'https://evil.test' } as Action)).toMatchObject({ rule: 'host' })
    expect(guard.checkAction({ type: 'new_tab' } as Action)).toBeNull()
    expect(guard.checkAction(goto('chrome://settings'))).toMatchObject({ rule: 'scheme', url: 'chrome://settings' })
    expect(guard.checkAction(goto('javascript:alert(1)'))).toMatchObject({ rule: 'scheme' })
  })

  it('need every policy to admit them', () => {
    const guard = guardOf(
      { allowedDomains: ['example.com', 'shop.org'] },
      { allowedDomains: ['example.com'], relatedAuth: ['shop.org'] },
      {},
    )
    expect(rule(guard, 'https://example.com')).toBeNull()
    expect(rule(guard, 'https://shop.org')).toBeNull()
    const narrower = guardOf({ allowedDomains: ['example.com'] }, { allowedDomains: ['shop.org'] })
    expect(rule(narrower, 'https://example.com')).toBe('host')
    expect(rule(guardOf({ allowPrivateNetwork: true }, {}), 'http://10.0.0.1/')).toBe('private_network')
  })

  it('reach related hosts only beside the allowed ones of the same policy', () => {
    const guard = guardOf({ allowedDomains: ['example.com'], relatedAuth: ['id.org'] }, { allowedDomains: ['example.com'] })
    expect(rule(guard, 'https://id.org')).toBe('host')
  })
})

describe('requests', () => {
  const guard = guardOf({ allowedDomains: ['example.com', '9.9.9.9'], blockedDomains: ['6.6.6.6'] })
  const check = (host: string, address?: string) =>
    guard.network.check({ host, port: 443, ...(address === undefined ? {} : { address }) })?.rule ?? null

  it('are judged by name, then by every address', () => {
    expect(check('example.com')).toBeNull()
    expect(check('example.com', '93.184.216.34')).toBeNull()
    expect(check('example.com', '127.0.0.1')).toBe('private_network')
    expect(check('example.com', '::ffff:7f00:1')).toBe('private_network')
    expect(check('example.com', '6.6.6.6')).toBe('blocked_host')
    expect(check('evil.test')).toBe('host')
    expect(check('9.9.9.9', '9.9.9.9')).toBeNull()
    expect(check('2130706433')).toBe('host')
    expect(check('exa mple.com')).toBe('invalid_address')
    expect(check('example.com', 'nonsense')).toBe('private_network')
    expect(check('example.com', 'a b')).toBe('invalid_address')
  })

  it('that were refused are counted, and the last 200 remembered', () => {
    const onBlocked = vi.fn()
    const counting = new ScopeGuard({ policies: [parseScopePolicy({})], onBlocked })
    for (let index = 0; index < 250; index += 1) counting.network.onBlocked({ host: `h${index}`, port: 1, rule: 'host', reason: 'r' })
    expect(counting.blockedCount).toBe(250)
    expect(counting.blockedSince(0)).toHaveLength(200)
    expect(counting.blockedSince(248).map(({ host }) => host)).toEqual(['h248', 'h249'])
    expect(counting.blockedSince(250)).toEqual([])
    expect(onBlocked).toHaveBeenCalledTimes(250)
  })
})

describe('guardrails', () => {
  const request = (signal = new AbortController().signal): GuardrailRequest => ({
    organizationId: 'acme',
    workflowRunId: 'wr_1',
    blockLabel: 'a',
    action: goto('https://example.com'),
    page: { url: 'https://example.com/p' },
    signal,
  })
  const reviewed = (guardrails: readonly Guardrail[], clock = new FakeClock()) =>
    new ScopeGuard({ policies: [], guardrails, clock }).review(request())

  it('are asked in order, until one refuses', async () => {
    const asked: string[] = []
    const allow: Guardrail = (params) => {
      asked.push(params.blockLabel)
      return { allow: true }
    }
    const refuse: Guardrail = async () => ({ allow: false, reason: 'not on Fridays' })
    expect(await reviewed([allow, refuse, allow])).toEqual({ rule: 'guardrail', reason: 'not on Fridays', url: 'https://example.com/p' })
    expect(asked).toEqual(['a'])
    expect(await reviewed([allow, allow])).toBeNull()
  })

  it.each<[string, Guardrail]>([
    ['throws', () => Promise.reject(new Error('broken'))],
    [
      'throws at once',
      () =>
        (() => {
          throw new Error('broken')
        })(),
    ],
    ['says nothing', () => undefined as never],
    ['says something else', () => ({ allow: 'yes' }) as never],
  ])('refuse when one %s', async (_what, guardrail) => expect(await reviewed([guardrail])).toMatchObject({ rule: 'guardrail' }))

  it('refuse when one takes more than 10 seconds', async () => {
    const clock = new FakeClock()
    let heard: AbortSignal | undefined
    const hanging: Guardrail = ({ signal }) => {
      heard = signal
      return new Promise(() => {})
    }
    const verdict = reviewed([hanging], clock)
    await clock.advance(9_999)
    expect(heard?.aborted).toBe(false)
    await clock.advance(1)
    expect(await verdict).toMatchObject({ rule: 'guardrail' })
    expect(heard?.aborted).toBe(true)
  })

  it('are not waited for after a cancel', async () => {
    const controller = new AbortController()
    const guard = new ScopeGuard({ policies: [], guardrails: [() => new Promise(() => {})], clock: new FakeClock() })
    const verdict = guard.review(request(controller.signal))
    controller.abort(new Error('canceled'))
    await expect(verdict).rejects.toThrow('canceled')
  })
})

describe('policies', () => {
  it.each<[ScopePolicyInput, string]>([
    [{ allowedDomains: ['com'] }, 'scopePolicy.allowedDomains.0'],
    [{ blockedDomains: ['example.com', 'github.io'] }, 'scopePolicy.blockedDomains.1'],
    [{ relatedAuth: ['*.okta.com'] }, 'scopePolicy.relatedAuth.0'],
    [{ allowedDomains: ['example.com:8080'] }, 'scopePolicy.allowedDomains.0'],
    [{ allowedActions: ['fly'] }, 'allowedActions.0'],
    [{ allowDomains: ['example.com'] } as never, 'allowDomains'],
  ])('%j is refused', (policy, path) => {
    expect(() => parseScopePolicy(policy)).toThrow(InvalidArgumentError)
    expect(() => parseScopePolicy(policy)).toThrow(path)
  })
})
