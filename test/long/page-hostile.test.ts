import type { EventEmitter } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PlaywrightPage } from '../../src/playwright/playwright-page.js'
import type { PageInteraction } from '../../src/sessions/ports.js'
import { type Launched, launchBrowser, missingBrowser, parsed, startSite, within } from '../integration/playwright-kit.js'
import { describeUnless } from '../support/skips.js'

const ROWS = 50_000

/** The same numbers for the same seed: mulberry32. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

describeUnless(missingBrowser, 'a hostile page', () => {
  let site: Awaited<ReturnType<typeof startSite>>
  let launched: Launched
  let page: PlaywrightPage
  beforeAll(async () => {
    site = await startSite({
      '/hang': () => {},
      '/stream': (_request, response) => {
        response.setHeader('content-type', 'text/html')
        response.write('<title>Stream</title><button onclick="document.title=\'clicked\'">go</button>')
        const timer = setInterval(() => response.write('<i></i>'), 20)
        response.on('close', () => clearInterval(timer))
      },
      '/poll':
        '<title>Poll</title><button onclick="document.title=\'clicked\'">go</button><script>const again=()=>fetch("/wait").finally(again);again()</script>',
      '/wait': () => {},
      '/load-spin': '<title>Spin</title><script>for(;;);</script>',
      '/handler-spin': '<title>Handler</title><input id="i" oninput="for(;;);"><button id="b" onmouseover="for(;;);">b</button>',
      '/many': `<title>Many</title><button id="first" onclick="document.title='clicked'">go</button><div id="rows"></div><input id="last"><script>rows.innerHTML=Array.from({length:${ROWS / 2}},(_,i)=>'<div><span>row '+i+'</span></div>').join('')</script>`,
      '/moving':
        '<title>Moving</title><style>@keyframes m{from{left:0}to{left:300px}}#b{position:absolute;animation:m .4s linear infinite alternate}</style><button id="b">b</button>',
      '/rerender':
        '<title>Rerender</title><div id="root"></div><script>const draw=()=>{root.innerHTML="<button id=b onclick=\\"document.title=\'clicked\'\\">b</button>"};draw();setInterval(draw,5)</script>',
      '/detach': '<title>Detach</title><button id="b" onmousedown="this.remove()" onclick="document.title=\'clicked\'">b</button>',
      '/covered': '<title>Covered</title><button id="b">b</button><div id="cover" style="position:fixed;inset:0;background:#0003"></div>',
      '/calm': '<title>Calm</title><button id="b" onclick="document.title=\'clicked\'">b</button>',
      '/storm':
        '<title>Storm</title><input id="a"><input id="b"><a id="link" href="/storm?again">link</a><button id="add" onclick="document.body.append(document.createElement(\'p\'))">add</button><button id="slow" onclick="const e=Date.now()+60;while(Date.now()<e);">slow</button><button id="ask" onclick="confirm(1)">ask</button><button id="tab" onclick="const w=window.open(\'/calm\');setTimeout(()=>w.close(),30)">tab</button><button id="load" onclick="fetch(\'/data\')">load</button><button id="gone" onclick="this.remove()">gone</button>',
      '/data': (_request, response) => setTimeout(() => response.end('x'), 40),
    })
    launched = await launchBrowser()
    page = await launched.browser.activePage(within())
  })
  afterAll(async () => {
    await launched?.end()
    await site?.stop()
  })

  const act = (interaction: { type: PageInteraction['type'] } & Record<string, unknown>, timeoutMs = 3_000, signal?: AbortSignal) =>
    page.perform(
      { ...(interaction.type === 'click' ? { button: 'left', clickCount: 1 } : { clear: true }), ...parsed, ...interaction } as never,
      within(timeoutMs, signal),
    )
  const click = (css: string, timeoutMs?: number, signal?: AbortSignal) => act({ type: 'click', target: { css } }, timeoutMs, signal)
  const open = (path: string, timeoutMs = 15_000) => page.navigate(`${site.base}${path}`, within(timeoutMs))

  /** The page, or another one, does what it is told. */
  const isUsable = async () => {
    await launched.browser.probe(within())
    page = await launched.browser.activePage(within())
    expect(await open('/calm')).toMatchObject({ title: 'Calm' })
    await click('#b')
    expect(await page.title(within())).toBe('clicked')
  }

  /** Aborts a call that would last, and gives how long it then took to settle. */
  const cancelled = async (call: (signal: AbortSignal) => Promise<unknown>, afterMs = 300) => {
    const controller = new AbortController()
    const reason = new Error('cancelled')
    const outcome = expect(call(controller.signal)).rejects.toBe(reason)
    await new Promise((resolve) => setTimeout(resolve, afterMs))
    const abortedAtMs = performance.now()
    controller.abort(reason)
    await outcome
    return performance.now() - abortedAtMs
  }

  describe('is bounded by the deadline, and lets go at once when it is cancelled', () => {
    it('when it never loads', async () => {
      await expect(open('/hang', 400)).rejects.toMatchObject({ code: 'ACTION_TIMEOUT' })
      expect(await cancelled((signal) => page.navigate(`${site.base}/hang`, within(20_000, signal)))).toBeLessThan(2_500)
      await isUsable()
    })

    it('when it loads for ever', async () => {
      await open('/poll')
      await page.settle(within())
      await click('button')
      await page.settle(within())
      expect(await page.title(within())).toBe('clicked')
      const startedAtMs = performance.now()
      await page
        .navigate(`${site.base}/stream`, within(1_000))
        .catch((error: unknown) => expect(error).toMatchObject({ code: 'ACTION_TIMEOUT' }))
      expect(performance.now() - startedAtMs).toBeLessThan(15_000)
      expect(await cancelled((signal) => page.navigate(`${site.base}/stream`, within(20_000, signal)))).toBeLessThan(2_500)
      await isUsable()
    })

    it('when its script never ends: at load, on a key, under the mouse', async () => {
      await expect(open('/load-spin', 700)).rejects.toMatchObject({ code: 'ACTION_TIMEOUT' })
      await isUsable()
      await open('/handler-spin')
      await expect(act({ type: 'input_text', target: { css: '#i' }, value: 'x' }, 700)).rejects.toMatchObject({ code: 'ACTION_TIMEOUT' })
      await open('/handler-spin')
      expect(await cancelled((signal) => click('#b', 20_000, signal))).toBeLessThan(2_500)
      await isUsable()
      await open('/load-spin', 300).catch(() => {})
      for (const call of [
        () => page.observe({ maxChars: 100 }, within(300)),
        () => page.fingerprint(within(300)),
        () => page.extract({ a: 'p' }, within(300)),
      ]) {
        await call().catch((error: unknown) =>
          expect(error).toMatchObject({ code: expect.stringMatching(/ACTION_TIMEOUT|EXTRACTION_FAILED/) }),
        )
      }
      await isUsable()
    })

    it('when its target moves, is drawn anew, goes away, is covered', async () => {
      await open('/moving')
      await expect(click('#b', 600)).rejects.toMatchObject({
        code: 'TARGET_NOT_ACTIONABLE',
        details: { obstacle: 'element is not stable' },
      })
      expect(await cancelled((signal) => click('#b', 20_000, signal))).toBeLessThan(2_500)
      await open('/rerender')
      await click('#b', 1_000).catch((error: unknown) =>
        expect(error).toMatchObject({ code: expect.stringMatching(/TARGET_NOT_ACTIONABLE|TARGET_NOT_FOUND/) }),
      )
      await open('/detach')
      await click('#b', 1_000).catch((error: unknown) => expect(error).toMatchObject({ code: expect.stringMatching(/^TARGET_/) }))
      await open('/covered')
      await expect(click('#b', 600)).rejects.toMatchObject({
        code: 'TARGET_NOT_ACTIONABLE',
        details: { obstacle: expect.stringMatching(/id="cover".* intercepts pointer events/) },
      })
      expect(await cancelled((signal) => click('#b', 20_000, signal))).toBeLessThan(2_500)
      await isUsable()
    })

    it('when it is large: 50,000 elements', async () => {
      await open('/many')
      const timed = async (call: () => Promise<unknown>) => {
        const startedAtMs = performance.now()
        await call()
        return Math.round(performance.now() - startedAtMs)
      }
      const figures = {
        click: await timed(() => click('#first', 15_000)),
        type: await timed(() => act({ type: 'input_text', target: { css: '#last' }, value: 'x' }, 15_000)),
        fingerprint: await timed(() => page.fingerprint(within(15_000))),
        again: await timed(() => page.fingerprint(within(15_000))),
        extract: await timed(() => page.extract({ rows: { css: '#rows span', all: true } }, within(15_000))),
      }
      await launched.browser.setBlinders(['.none'], within(15_000))
      const blinded = await timed(() => click('#first', 15_000))
      await launched.browser.setBlinders([], within(15_000))
      console.log(`50,000 elements, ms: ${JSON.stringify({ ...figures, blinded })}`)
      expect(Math.max(figures.click, figures.type, blinded)).toBeLessThan(15_000)
      await isUsable()
    })
  })

  it('outlives twenty storms of clicks and typing with cancels at random moments, and leaves nothing', { timeout: 60_000 }, async () => {
    const rejections: unknown[] = []
    const onRejection = (reason: unknown) => rejections.push(reason)
    process.on('unhandledRejection', onRejection)
    await open('/storm')
    const native = page.native() as unknown as EventEmitter
    const listeners = () => native.eventNames().reduce((sum, name) => sum + native.listenerCount(name), 0)
    const before = listeners()
    const temporary = async () => (await readdir(join(launched.spec.directory, 'tmp'))).length
    const filesBefore = await temporary()
    const targets = ['#a', '#b', '#link', '#add', '#slow', '#ask', '#tab', '#load', '#gone', '#never']
    for (let seed = 1; seed <= 20; seed += 1) {
      const random = seeded(seed)
      const controller = new AbortController()
      const cancel = setTimeout(() => controller.abort(new Error('cancelled')), random() * 250)
      for (let step = 0; step < 12 && !controller.signal.aborted; step += 1) {
        const css = targets[Math.floor(random() * targets.length)] ?? '#a'
        const isTyping = css === '#a' || css === '#b'
        const interaction = isTyping ? { type: 'input_text', target: { css }, value: `${seed}` } : { type: 'click', target: { css } }
        const startedAtMs = performance.now()
        await act(interaction as { type: PageInteraction['type'] }, 150, controller.signal).catch(() => {}) // cancelled, or not there
        await page.settle(within(500, controller.signal)).catch(() => {}) // cancelled
        expect(performance.now() - startedAtMs).toBeLessThan(10_000)
      }
      clearTimeout(cancel)
      page.takeDialogs()
    }
    await isUsable()
    await expect.poll(() => launched.browser.pages().length, { timeout: 5_000 }).toBe(1)
    process.off('unhandledRejection', onRejection)
    expect(rejections).toEqual([])
    expect(page.native()).toBe(native)
    expect(listeners()).toBe(before)
    expect(await temporary()).toBeLessThanOrEqual(filesBefore + 1)
  })
})
