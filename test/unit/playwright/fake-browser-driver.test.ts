import { describe, expect, it } from 'vitest'
import type { Clock } from '../../../src/runtime/index.js'
import type { LaunchSpec, PageOperationOptions } from '../../../src/sessions/ports.js'
import { FakeBrowserDriver } from '../../../src/testing/fake-browser-driver.js'

const spec: LaunchSpec = {
  browserSessionId: 'bs_1',
  browserType: 'chromium',
  headless: true,
  viewport: null,
  launchArgs: [],
  env: {},
  directory: '/nowhere',
  downloadsDirectory: '/nowhere/downloads',
}
const options = (overrides: Partial<PageOperationOptions> = {}): PageOperationOptions => ({
  signal: new AbortController().signal,
  timeoutMs: 1_000,
  ...overrides,
})

/** Steps by hand; the testing kit's own clock is not needed here. */
function manualClock() {
  let nowMs = 0
  const timers = new Set<{ at: number; callback: () => void }>()
  const clock: Clock = {
    now: () => new Date(nowMs),
    monotonicMs: () => nowMs,
    setTimer(callback, delayMs) {
      const timer = { at: nowMs + delayMs, callback }
      timers.add(timer)
      return { cancel: () => timers.delete(timer) }
    },
  }
  const advance = async (ms: number) => {
    nowMs += ms
    for (const timer of [...timers]) {
      if (timer.at <= nowMs && timers.delete(timer)) timer.callback()
    }
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve()
  }
  return { clock, advance, timers }
}

describe('FakeBrowserDriver', () => {
  it('launches after the scripted delay and counts what is alive', async () => {
    const { clock, advance } = manualClock()
    const driver = new FakeBrowserDriver({ clock, launch: { delayMs: 500 } })
    const launching = driver.launch(spec, options())
    expect(driver.pendingLaunches).toBe(1)
    await advance(500)
    const handle = await launching
    expect(driver).toMatchObject({ pendingLaunches: 0, liveHandles: 1 })
    await handle.close(options())
    expect(driver.liveHandles).toBe(0)
  })

  it('rejects with the scripted category, at the deadline, and on an abort', async () => {
    const { clock, advance, timers } = manualClock()
    const driver = new FakeBrowserDriver({ clock })
    driver.scriptLaunch({ fails: 'crashed' }, { delayMs: 5_000 }, { delayMs: 500 })
    await expect(driver.launch(spec, options())).rejects.toMatchObject({ category: 'crashed', code: 'BROWSER_LAUNCH_FAILED' })
    const slow = driver.launch(spec, options())
    const expectTimeout = expect(slow).rejects.toMatchObject({ category: 'timeout' })
    await advance(1_000)
    await expectTimeout
    const controller = new AbortController()
    const aborted = driver.launch(spec, options({ signal: controller.signal }))
    controller.abort(new Error('stop'))
    await expect(aborted).rejects.toMatchObject({ category: 'aborted' })
    expect(driver.liveHandles).toBe(0)
    expect(timers.size).toBe(0)
  })

  it('answers late when a launch ignores its deadline', async () => {
    const { clock, advance } = manualClock()
    const driver = new FakeBrowserDriver({ clock, launch: { delayMs: 5_000, ignoresDeadline: true } })
    const launching = driver.launch(spec, options())
    await advance(5_000)
    expect((await launching).isAlive).toBe(true)
  })

  it('tells its listeners of a crash once, in the same call', async () => {
    const driver = new FakeBrowserDriver()
    const handle = await driver.launch(spec, options())
    const reasons: string[] = []
    const off = handle.onLost((reason) => reasons.push(reason))
    handle.crash('SIGKILL')
    handle.crash('again')
    expect(reasons).toEqual(['SIGKILL'])
    await expect(handle.probe(options())).rejects.toMatchObject({ code: 'NO_PAGE' })
    off()
    expect(handle.listenerCount).toBe(0)
  })

  it('does not call onLost for close and kill, and can hang', async () => {
    const { clock, advance } = manualClock()
    const driver = new FakeBrowserDriver({ clock })
    const handle = await driver.launch(spec, options())
    let lost = 0
    handle.onLost(() => {
      lost += 1
    })
    handle.hang('close')
    const closing = expect(handle.close(options())).rejects.toMatchObject({ code: 'ACTION_TIMEOUT' })
    await advance(1_000)
    await closing
    await handle.kill()
    expect({ lost, isAlive: handle.isAlive }).toEqual({ lost: 0, isAlive: false })
  })
})

describe('FakePage', () => {
  const site = {
    'https://shop.test/': {
      title: 'Shop',
      elements: [
        { css: '#user', label: 'User name' },
        { role: 'button', name: 'Sign in', onClick: 'https://shop.test/home' },
        { css: '.row', text: ' one ' },
        { css: '.row', text: 'two' },
        { css: '#late', appearsAfterMs: 300 },
        { css: '#off', disabled: true },
      ],
    },
    'https://shop.test/home': { title: 'Home', elements: [{ css: 'h1', text: 'Welcome' }] },
  }
  const action = { onFailure: 'abort', idempotent: true } as const

  it('navigates, types, clicks and follows', async () => {
    const driver = new FakeBrowserDriver({ site })
    const handle = await driver.launch(spec, options())
    const page = await handle.activePage(options())
    expect(await page.navigate('https://shop.test/', options())).toEqual({ url: 'https://shop.test/', title: 'Shop', httpStatus: 200 })
    await page.perform({ type: 'input_text', target: { label: 'user' }, value: 'ada', clear: true, ...action }, options())
    expect(page.elements()[0]?.value).toBe('ada')
    await page.perform({ type: 'click', target: { role: 'button', name: 'sign' }, button: 'left', clickCount: 1, ...action }, options())
    expect(page.url()).toBe('https://shop.test/home')
    expect(await page.extract({ title: 'h1' }, options())).toEqual({ title: 'Welcome' })
    expect(page.log.map((event) => event.type)).toEqual(['navigate', 'input_text', 'click'])
    await page.goBack(options())
    expect(page.url()).toBe('https://shop.test/')
    expect(await page.extract({ rows: { css: '.row', all: true } }, options())).toEqual({ rows: ['one', 'two'] })
  })

  it('waits for late elements on its clock and fails as a page would', async () => {
    const { clock, advance } = manualClock()
    const driver = new FakeBrowserDriver({ site, clock })
    const page = await (await driver.launch(spec, options())).activePage(options())
    await page.navigate('https://shop.test/', options())
    const click = (css: string, extra: Partial<PageOperationOptions> = {}) =>
      page.perform({ type: 'click', target: { css }, button: 'left', clickCount: 1, ...action }, options(extra))
    const late = click('#late')
    await advance(300)
    await late
    await expect(click('.row')).rejects.toMatchObject({ code: 'TARGET_AMBIGUOUS' })
    const gone = expect(click('#gone')).rejects.toMatchObject({ code: 'TARGET_NOT_FOUND' })
    const off = expect(click('#off')).rejects.toMatchObject({ code: 'TARGET_NOT_ACTIONABLE' })
    await advance(1_000)
    await gone
    await off
    const controller = new AbortController()
    const aborted = click('#gone', { signal: controller.signal })
    const reason = new Error('cancelled')
    controller.abort(reason)
    await expect(aborted).rejects.toBe(reason)
    await expect(page.navigate('https://nowhere.test/', options())).rejects.toMatchObject({ code: 'NAVIGATION_FAILED' })
  })
})
