import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Action, Target } from '../../src/definition/index.js'
import type { PlaywrightPage } from '../../src/playwright/playwright-page.js'
import type { PageInteraction } from '../../src/sessions/ports.js'
import { describeUnless } from '../support/skips.js'
import { type Launched, launchBrowser, missingBrowser, parsed, startSite, within } from './playwright-kit.js'

const FORM = `<!doctype html><html lang="en"><title>Form</title>
<style>.tall{height:3000px} .box{height:60px;width:100px;overflow:auto} .inner{height:900px}</style>
<form onsubmit="return false">
  <label for="user">User name</label><input id="user" placeholder="Your name" value="old">
  <label>Password <input id="pass" type="password"></label>
  <textarea data-testid="notes">line</textarea>
  <select id="size" aria-label="Size"><option value="s">Small</option><option value="l">Large</option></select>
  <select id="many" multiple><option value="1">One</option><option value="2">Two</option><option value="3">Three</option></select>
  <label><input type="checkbox" id="agree"> I agree</label>
  <input type="file" id="file" onchange="document.title=this.files[0].name">
  <button type="button" onclick="this.dataset.count=(+this.dataset.count||0)+1;out.textContent='clicked '+event.detail+' '+event.button" oncontextmenu="out.textContent='context';return false">Save</button>
  <button type="button" id="off" disabled>Never</button>
  <button class="twin" type="button">One</button><button class="twin" type="button" onclick="out.textContent='second'">Two</button><button class="twin" type="button">Three</button>
</form>
<p id="out"></p>
<div id="hover" onmouseenter="out.textContent='hovered'">hover me</div>
<div class="box" id="box"><div class="inner"></div></div>
<div id="drag" draggable="true" style="width:50px;height:50px;background:red">drag</div>
<div id="drop" style="width:90px;height:90px;background:blue" ondragover="event.preventDefault()" ondrop="event.preventDefault();out.textContent='dropped'">drop</div>
<my-card></my-card>
<iframe id="outer" srcdoc="<p>outer</p><iframe id='inner' srcdoc='<button onclick=&quot;this.textContent=1+1&quot;>deep</button>'></iframe>"></iframe>
<div class="tall"></div><p id="bottom" onclick="out.textContent='bottom'">the end</p>
<script>
customElements.define('my-card', class extends HTMLElement { connectedCallback(){ this.attachShadow({mode:'open'}).innerHTML='<button class="inshadow" onclick="this.textContent=\\'shadowed\\'">in shadow</button>' } })
document.addEventListener('keydown', e => { document.body.dataset.key = (e.ctrlKey?'Control+':'')+e.key })
</script></html>`

const LATE = `<title>Late</title><div id="out"></div><button onclick="setTimeout(()=>fetch('/data').then(r=>r.text()).then(t=>out.textContent=t),0)">Load</button>
<script>setTimeout(()=>{const b=document.createElement('button');b.id='late';b.textContent='late';document.body.append(b)},300)</script>`

describeUnless(missingBrowser, 'a page of PlaywrightDriver', () => {
  let site: Awaited<ReturnType<typeof startSite>>
  let launched: Launched
  let page: PlaywrightPage
  beforeAll(async () => {
    site = await startSite({
      '/form': FORM,
      '/late': LATE,
      '/hang': () => {},
      '/unload':
        '<title>Unload</title><input id="i"><script>addEventListener("beforeunload",e=>{e.preventDefault();e.returnValue="x"})</script>',
      '/data': (_request, response) => setTimeout(() => response.end('loaded'), 300),
      '/redirect': (_request, response) => response.writeHead(302, { location: '/form' }).end(),
      '/spin': '<title>Spin</title><button onclick="for(;;);">spin</button>',
    })
    launched = await launchBrowser()
    page = await launched.browser.activePage(within())
  })
  afterAll(async () => {
    await launched?.end()
    await site?.stop()
  })

  const act = (interaction: { type: PageInteraction['type'] } & Record<string, unknown>, timeoutMs = 3_000, signal?: AbortSignal) =>
    page.perform({ ...defaults[interaction.type], ...parsed, ...interaction } as unknown as PageInteraction, within(timeoutMs, signal))
  const defaults: Partial<Record<Action['type'], object>> = { click: { button: 'left', clickCount: 1 }, input_text: { clear: true } }
  const value = (css: string) => page.evaluate(`document.querySelector(${JSON.stringify(css)}).value`, undefined, within())
  const out = () => page.textOf({ css: '#out' }, within())

  describe('acts', () => {
    beforeEach(async () => {
      await page.navigate(`${site.base}/form`, within())
    })

    it('types, replacing or appending', async () => {
      await act({ type: 'input_text', target: { label: 'User name' }, value: 'ada' })
      await act({ type: 'input_text', target: { placeholder: 'your name' }, value: ' l.', clear: false })
      expect(await value('#user')).toBe('ada l.')
      await act({ type: 'input_text', target: { testId: 'notes' }, value: '\nmore', clear: false })
      expect(await value('textarea')).toBe('line\nmore')
    })

    it('selects by value or label, one or several', async () => {
      await act({ type: 'select_option', target: { role: 'combobox', name: 'size' }, value: 'Large' })
      expect(await value('#size')).toBe('l')
      await act({ type: 'select_option', target: { css: '#many' }, values: ['1', 'Three'] })
      expect(await page.evaluate('[...many.selectedOptions].map(o => o.value)', undefined, within())).toEqual(['1', '3'])
      await expect(act({ type: 'select_option', target: { css: '#size' }, value: 'XXL' }, 400)).rejects.toMatchObject({
        code: 'TARGET_NOT_ACTIONABLE',
        details: { obstacle: 'did not find some options' },
      })
    })

    it('checks, hovers, presses keys, uploads, drags and scrolls', async () => {
      await act({ type: 'check', target: { label: 'I agree' } })
      expect(await page.inspect({ css: '#agree' }, within())).toMatchObject({ count: 1, visible: true, checked: true, enabled: true })
      await act({ type: 'uncheck', target: { label: 'I agree' } })
      expect(await page.inspect({ css: '#agree' }, within())).toMatchObject({ checked: false })
      await act({ type: 'hover', target: { css: '#hover' } })
      expect(await out()).toBe('hovered')
      await act({ type: 'press_key', key: 'Escape' })
      expect(await page.evaluate('document.body.dataset.key', undefined, within())).toBe('Escape')
      await act({ type: 'press_key', key: 'Control+a', target: { css: '#user' } })
      expect(await page.evaluate('document.body.dataset.key', undefined, within())).toBe('Control+a')
      await expect(act({ type: 'press_key', key: 'Nope' })).rejects.toMatchObject({ code: 'ACTION_FAILED', message: /Unknown key/ })
      const path = join(launched.spec.directory, 'bill.txt')
      await writeFile(path, 'x')
      await act({ type: 'upload_file', target: { css: '#file' }, file: path })
      expect(await page.title(within())).toBe('bill.txt')
      await act({ type: 'upload_file', target: { css: '#file' }, file: 'data:text/plain;name=two.txt;base64,eA==' })
      expect(await page.title(within())).toBe('two.txt')
      await act({ type: 'drag_and_drop', target: { css: '#drag' }, destination: { css: '#drop' } })
      expect(await out()).toBe('dropped')
      await act({ type: 'scroll', direction: 'down' })
      expect(await page.evaluate('scrollY', undefined, within())).toBe(700)
      await act({ type: 'scroll', direction: 'up', amountPx: 100 })
      expect(await page.evaluate('scrollY', undefined, within())).toBe(600)
      await act({ type: 'scroll', target: { css: '#box' }, direction: 'down', amountPx: 150 })
      expect(await page.evaluate('box.scrollTop', undefined, within())).toBe(150)
      await act({ type: 'scroll', target: { css: '#bottom' } })
      expect(Number(await page.evaluate('scrollY', undefined, within()))).toBeGreaterThan(2_000)
    })

    it('clicks, doubly and with other buttons', async () => {
      const target = { role: 'button', name: 'Save' }
      await act({ type: 'click', target })
      expect(await out()).toBe('clicked 1 0')
      await act({ type: 'click', target, clickCount: 2 })
      expect(await out()).toBe('clicked 2 0')
      await act({ type: 'click', target, button: 'right' })
      expect(await out()).toBe('context')
    })

    it('reaches targets of every kind, in frames and shadow roots, by place from either end', async () => {
      for (const target of [
        { css: '#bottom' },
        { xpath: '//p[@id="bottom"]' },
        { text: 'THE END' },
        { css: 'p', nth: 1 },
        { css: 'p', nth: -1 },
        { css: 'p', nth: -1 },
      ] satisfies Target[]) {
        await page.evaluate('out.textContent = ""', undefined, within())
        await act({ type: 'click', target })
        expect([target, await out()]).toEqual([target, 'bottom'])
      }
      await act({ type: 'click', target: { css: '.twin', nth: -2 } })
      expect(await out()).toBe('second')
      await act({ type: 'click', target: { css: '.inshadow' } })
      expect(await page.textOf({ css: 'my-card button' }, within())).toBe('shadowed')
      await act({ type: 'click', target: { text: 'deep', frame: ['#outer', '#inner'] } })
      expect(await page.textOf({ css: 'button', frame: ['#outer', '#inner'] }, within())).toBe('2')
    })

    it('describes what it acted on by targets that each lead back to it', async () => {
      for (const target of [
        { css: '#user' },
        { css: 'textarea' },
        { css: '#size' },
        { css: '#agree' },
        { text: 'Save' },
        { css: '.twin', nth: 1 },
        { text: 'deep', frame: ['#outer', '#inner'] },
        { css: '.inshadow' },
      ] satisfies Target[]) {
        const { element } = await act({ type: 'hover', target })
        expect(element?.targets.length).toBeGreaterThan(1)
        for (const again of element?.targets ?? []) {
          const { count } = await page.inspect(again, within())
          expect([again, count > 0]).toEqual([again, true])
          if (count > 1) continue
          const { element: same } = await act({ type: 'hover', target: again })
          expect([again, same?.tag]).toEqual([again, element?.tag])
        }
      }
      const { element } = await act({ type: 'click', target: { css: '#user' } })
      expect(element).toMatchObject({ tag: 'input', role: 'textbox', name: 'User name' })
      expect(element?.targets[0]).toEqual({ role: 'textbox', name: 'User name' })
    })

    it('names what is wrong with a target', async () => {
      await expect(act({ type: 'click', target: { css: '.twin' } })).rejects.toMatchObject({
        code: 'TARGET_AMBIGUOUS',
        message: 'css ".twin" matches 3 elements; make it more exact, or pick one with nth (0 to 2)',
        details: { count: 3 },
      })
      await expect(act({ type: 'click', target: { css: '#gone' } }, 300)).rejects.toMatchObject({
        code: 'TARGET_NOT_FOUND',
        retryable: true,
      })
      await expect(act({ type: 'click', target: { css: '#x', frame: '#none' } }, 300)).rejects.toMatchObject({ code: 'TARGET_NOT_FOUND' })
      await expect(act({ type: 'click', target: { css: '#off' } }, 300)).rejects.toMatchObject({
        code: 'TARGET_NOT_ACTIONABLE',
        details: { obstacle: 'element is not enabled' },
      })
      await expect(act({ type: 'click', target: { css: '##' } }, 300)).rejects.toMatchObject({ code: 'ACTION_FAILED', message: /css/ })
      const startedAtMs = performance.now()
      await expect(act({ type: 'click', target: { css: '#gone' }, timeoutMs: 200 }, 10_000)).rejects.toMatchObject({
        code: 'TARGET_NOT_FOUND',
      })
      expect(performance.now() - startedAtMs).toBeLessThan(2_000)
    })

    it('stops a waiting click at once when it is aborted, with the reason', async () => {
      const figures: number[] = []
      for (const css of ['#off', '#gone', '#off']) {
        const controller = new AbortController()
        const reason = new Error('cancelled')
        const click = act({ type: 'click', target: { css } }, 20_000, controller.signal)
        setTimeout(() => controller.abort(reason), 150)
        await expect(click).rejects.toBe(reason)
        figures.push(performance.now())
        const abortedAtMs = performance.now()
        await page.title(within())
        figures.push(performance.now() - abortedAtMs)
      }
      const controller = new AbortController()
      const click = act({ type: 'click', target: { css: '#off' } }, 20_000, controller.signal)
      await new Promise((resolve) => setTimeout(resolve, 100))
      const abortedAtMs = performance.now()
      controller.abort(new Error('stop'))
      await expect(click).rejects.toThrow('stop')
      console.log(`waiting click aborted: settled after ${(performance.now() - abortedAtMs).toFixed(1)} ms`)
    })
  })

  describe('goes', () => {
    it('to an address, follows redirects, back and again', async () => {
      expect(await page.navigate(`${site.base}/redirect`, within())).toEqual({ url: `${site.base}/form`, title: 'Form', httpStatus: 200 })
      expect(await page.navigate(`${site.base}/none`, within())).toMatchObject({ title: 'Not found', httpStatus: 404 })
      expect(await page.goBack(within())).toMatchObject({ url: `${site.base}/form` })
      expect(await page.reload(within())).toMatchObject({ url: `${site.base}/form`, title: 'Form' })
      expect(await page.navigate('data:text/html,<title>d</title>', within())).toMatchObject({ title: 'd', httpStatus: null })
      const fresh = await launched.browser.newPage(within())
      await expect(fresh.goBack(within())).rejects.toMatchObject({ code: 'NAVIGATION_FAILED' })
      await fresh.close(within())
    })

    it('names the address and the network error when it cannot, and goes on afterwards', async () => {
      await expect(page.navigate('http://127.0.0.1:9/', within())).rejects.toMatchObject({
        code: 'NAVIGATION_FAILED',
        message: /http:\/\/127\.0\.0\.1:9\/.*net::ERR_/,
      })
      await expect(page.navigate('http://nowhere.invalid/', within())).rejects.toMatchObject({
        details: { reason: 'net::ERR_NAME_NOT_RESOLVED' },
        retryable: true,
      })
      await expect(page.navigate('no address', within())).rejects.toMatchObject({ code: 'NAVIGATION_FAILED' })
      expect(await page.navigate(`${site.base}/form`, within())).toMatchObject({ title: 'Form' })
    })

    it('gives a hanging navigation up, at the deadline or on an abort, and stops it in the browser', async () => {
      await page.navigate(`${site.base}/form`, within())
      await expect(page.navigate(`${site.base}/hang`, within(300))).rejects.toMatchObject({ code: 'ACTION_TIMEOUT' })
      const controller = new AbortController()
      const reason = new Error('cancelled')
      const going = page.navigate(`${site.base}/hang`, within(20_000, controller.signal))
      await new Promise((resolve) => setTimeout(resolve, 150))
      const abortedAtMs = performance.now()
      controller.abort(reason)
      await expect(going).rejects.toBe(reason)
      console.log(`hanging navigation aborted: settled after ${(performance.now() - abortedAtMs).toFixed(1)} ms`)
      await act({ type: 'click', target: { css: '.twin', nth: 1 } }, 2_000)
      expect(await out()).toBe('second')
      expect(page.url()).toBe(`${site.base}/form`)
    })

    it('leaves a page that asks before it is left', async () => {
      await page.navigate(`${site.base}/unload`, within())
      await act({ type: 'input_text', target: { css: '#i' }, value: 'x' })
      expect(await page.navigate(`${site.base}/form`, within())).toMatchObject({ title: 'Form' })
    })
  })

  describe('waits and looks', () => {
    it('waits for elements, addresses, text and load states', async () => {
      await page.navigate(`${site.base}/late`, within())
      await page.waitFor({ target: { css: '#late' }, state: 'visible' }, within())
      await page.waitFor({ text: 'LATE' }, within())
      await page.waitFor({ url: '*/late' }, within())
      await page.waitFor({ loadState: 'networkidle' }, within())
      await page.waitFor({ target: { css: '#never' }, state: 'detached' }, within())
      await expect(page.waitFor({ target: { css: '#never' }, state: 'visible' }, within(200))).rejects.toMatchObject({
        code: 'TARGET_NOT_FOUND',
      })
      await expect(page.waitFor({ target: { css: '#late' }, state: 'hidden' }, within(200))).rejects.toMatchObject({
        code: 'ACTION_TIMEOUT',
      })
      await expect(page.waitFor({ url: '/other' }, within(200))).rejects.toMatchObject({ code: 'ACTION_TIMEOUT' })
      expect(await page.isVisible({ css: 'button' }, within())).toBe(true)
      expect(await page.isVisible({ css: '#never' }, within())).toBe(false)
      expect(await page.inspect({ css: '#never' }, within())).toEqual({
        count: 0,
        visible: false,
        enabled: null,
        checked: null,
        value: null,
        text: null,
      })
      expect((await page.inspect({ css: 'button' }, within())).count).toBe(2)
    })

    it('settles when what a click set off has come', async () => {
      await page.navigate(`${site.base}/late`, within())
      await page.waitFor({ text: 'late' }, within())
      await act({ type: 'click', target: { text: 'Load' } })
      const startedAtMs = performance.now()
      await page.settle(within())
      console.log(`settled ${Math.round(performance.now() - startedAtMs)} ms after a click with a fetch of 300 ms`)
      expect(await out()).toBe('loaded')
      const quietAtMs = performance.now()
      await page.settle(within())
      console.log(`settled ${Math.round(performance.now() - quietAtMs)} ms on a quiet page`)
    })

    it('runs scripts, JSON only, and ends one that never yields', async () => {
      await page.navigate(`${site.base}/form`, within())
      expect(await page.evaluate('(n) => n.a + 1', { a: 1 }, within())).toBe(2)
      expect(await page.evaluate('document.title // x', undefined, within())).toBe('Form')
      expect(await page.evaluate('await Promise.resolve([1])', undefined, within())).toEqual([1])
      expect(await page.evaluate('undefined', undefined, within())).toBe(null)
      await expect(page.evaluate('() => { throw new Error("mine") }', undefined, within())).rejects.toMatchObject({
        code: 'ACTION_FAILED',
        message: /mine/,
      })
      await expect(page.evaluate('10n', undefined, within())).rejects.toMatchObject({ code: 'ACTION_FAILED' })
      await expect(page.evaluate('() => { for(;;); }', undefined, within(300))).rejects.toMatchObject({ code: 'ACTION_TIMEOUT' })
      expect(await page.title(within(2_000))).toBe('Form')
      expect(await page.content(within())).toContain('User name')
      const picture = await page.screenshot({ format: 'jpeg', quality: 50 }, within())
      expect(picture.subarray(0, 2)).toEqual(Buffer.from([0xff, 0xd8]))
    })

    it('frees a page whose handler never yields, at the deadline and on an abort', async () => {
      const click = { type: 'click', target: { text: 'spin' } } as const
      await page.navigate(`${site.base}/spin`, within())
      await expect(act(click, 700)).rejects.toMatchObject({ code: 'ACTION_TIMEOUT' })
      expect(await page.title(within(2_000))).toBe('Spin')
      const controller = new AbortController()
      const spinning = act(click, 20_000, controller.signal)
      await new Promise((resolve) => setTimeout(resolve, 400))
      const abortedAtMs = performance.now()
      controller.abort(new Error('stop'))
      await expect(spinning).rejects.toThrow('stop')
      console.log(`click on a page that spins aborted: settled after ${Math.round(performance.now() - abortedAtMs)} ms`)
      expect(await page.title(within(2_000))).toBe('Spin')
    })

    it('answers PAGE_CLOSED once it is closed', async () => {
      const other = await launched.browser.newPage(within())
      await other.close(within())
      await other.close(within())
      await expect(other.navigate(site.base, within())).rejects.toMatchObject({ code: 'PAGE_CLOSED' })
      await expect(other.title(within())).rejects.toMatchObject({ code: 'PAGE_CLOSED' })
      await expect(other.perform({ type: 'hover', target: { css: 'p' }, ...parsed }, within())).rejects.toMatchObject({
        code: 'PAGE_CLOSED',
      })
      await other.settle(within())
      const waiting = await launched.browser.newPage(within())
      const click = expect(waiting.perform({ type: 'hover', target: { css: '#gone' }, ...parsed }, within(10_000))).rejects.toMatchObject({
        code: 'PAGE_CLOSED',
      })
      await waiting.close(within())
      await click
    })
  })
})
