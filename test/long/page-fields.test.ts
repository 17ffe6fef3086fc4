import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { PlaywrightPage } from '../../src/playwright/playwright-page.js'
import type { PageDownload, PageInteraction } from '../../src/sessions/ports.js'
import { type Launched, launchBrowser, missingBrowser, parsed, startSite, within } from '../integration/playwright-kit.js'
import { describeUnless } from '../support/skips.js'

const FIELDS = `<!doctype html><title>Fields</title><style>.gone{display:none}.tiny{position:absolute;width:1px;height:1px;opacity:0}</style>
<input id="short" maxlength="4"><input id="pass" type="password" maxlength="3"><input id="number" type="number"><input id="date" type="date">
<input id="time" type="time"><input id="month" type="month"><input id="color" type="color"><input id="fixed" readonly value="fixed">
<input id="phone" oninput="const d=this.value.replace(/\\D/g,'');this.value=d.length>3?'('+d.slice(0,3)+') '+d.slice(3):d">
<input id="stubborn" oninput="this.value='no'"><textarea id="area"></textarea><div id="edit" contenteditable><b>old</b></div>
<label id="named">Name <input id="byLabel"></label>
<span id="code"><input maxlength="1" oninput="this.nextElementSibling.focus()"><input maxlength="1" oninput="this.nextElementSibling.focus()"><input maxlength="1"></span>
<select id="list"><option value="s">Small</option><option value="l">Large</option></select>
<select id="reset" onchange="this.value='a'"><option>a</option><option>b</option></select>
<div id="role" role="checkbox" aria-checked="false" tabindex="0" onclick="this.setAttribute('aria-checked',this.getAttribute('aria-checked')!=='true')">Role</div>
<label><input class="gone" type="checkbox" id="hiddenBox"><span>Styled</span></label>
<label><input class="tiny" type="checkbox" id="tinyBox"><span>Tiny</span></label>
<label><input class="gone" type="checkbox" id="dead" onclick="return false"><span>Dead</span></label>
<input type="checkbox" id="plain"><input type="radio" id="radio" name="r">
<input type="file" class="gone" id="one"><input type="file" id="several" multiple>
<button id="chooser" onclick="one.click()">Choose</button>`

describeUnless(missingBrowser, 'fields of a page', () => {
  let site: Awaited<ReturnType<typeof startSite>>
  let launched: Launched
  let page: PlaywrightPage
  beforeAll(async () => {
    site = await startSite({
      '/': FIELDS,
      '/dialogs':
        '<title>Dialogs</title><button id="many" onclick="for(let i=0;i<100;i++)alert(i);out.textContent=\'done\'">many</button><button id="ask" onclick="out.textContent=confirm(\'sure?\')+\'/\'+prompt(\'name?\',\'none\')">ask</button><button id="ever" onclick="for(;;)alert(\'again\')">ever</button><button id="pop" onclick="window.open(\'/popup\')">pop</button><p id="out"></p><iframe id="frame" src="/asks"></iframe>',
      '/asks': '<button onclick="document.body.append(confirm(\'in frame\'))">frame</button>',
      '/popup': '<title>Popup</title><script>alert("pop");document.title=confirm("stay?")</script>',
      '/leave':
        '<title>Leave</title><input id="i"><script>addEventListener("beforeunload",e=>{e.preventDefault();e.returnValue="x"})</script>',
      '/file': (_request, response) => {
        response.setHeader('content-disposition', 'attachment; filename="bill: 1.csv"')
        response.end('a,b')
      },
      '/nothing': (_request, response) => response.writeHead(204).end(),
      '/links':
        '<title>Links</title><a id="link" href="/file">file</a><a id="data" download="note.txt" href="data:text/plain,hello">data</a><button id="blob" onclick="const a=document.createElement(\'a\');a.download=\'blob.txt\';a.href=window.URL.createObjectURL(new Blob([\'blob\']));a.click()">blob</button>',
    })
    launched = await launchBrowser()
    page = await launched.browser.activePage(within())
  })
  afterAll(async () => {
    await launched?.end()
    await site?.stop()
  })

  const defaults: Partial<Record<PageInteraction['type'], object>> = {
    click: { button: 'left', clickCount: 1 },
    input_text: { clear: true },
  }
  const act = (interaction: { type: PageInteraction['type'] } & Record<string, unknown>, timeoutMs = 3_000, signal?: AbortSignal) =>
    page.perform({ ...defaults[interaction.type], ...parsed, ...interaction } as unknown as PageInteraction, within(timeoutMs, signal))
  const type = (css: string, value: string, more: object = {}, timeoutMs = 3_000) =>
    act({ type: 'input_text', target: { css }, value, ...more }, timeoutMs)
  const click = (css: string, timeoutMs?: number) => act({ type: 'click', target: { css } }, timeoutMs)
  const value = (css: string) => page.evaluate(`document.querySelector(${JSON.stringify(css)}).value`, undefined, within())

  describe('hold what was asked, or say that they do not', () => {
    beforeEach(async () => {
      await page.navigate(`${site.base}/`, within())
    })

    it('for texts: cut off, put back, formatted, appended, editable elements, labels', async () => {
      await type('#short', 'abcd')
      await expect(type('#short', 'abcdefgh')).rejects.toMatchObject({
        code: 'ACTION_FAILED',
        details: { expected: '8 characters', received: '4 characters' },
      })
      const secret = await type('#pass', 'hunter2').catch((error: unknown) => error)
      expect(secret).toMatchObject({ code: 'ACTION_FAILED', message: expect.stringMatching(/7 characters were typed, the field holds 3/) })
      expect(String(secret)).not.toContain('hun')
      await expect(type('#stubborn', 'yes')).rejects.toMatchObject({ code: 'ACTION_FAILED' })
      await type('#phone', '5551234567')
      expect(await value('#phone')).toBe('(555) 1234567')
      await type('#edit', 'new text')
      await type('#edit', '!', { clear: false })
      expect(await page.textOf({ css: '#edit' }, within())).toBe('new text!')
      await type('#area', 'two\nlines')
      await type('#area', '')
      expect(await value('#area')).toBe('')
      await type('#named', 'Ada')
      expect(await value('#byLabel')).toBe('Ada')
      await type('#code input', '123', { target: { css: '#code input', nth: 0 }, clear: false })
      expect(await page.evaluate('[...document.querySelectorAll("#code input")].map(i => i.value).join("")', undefined, within())).toBe(
        '123',
      )
      await expect(type('#fixed', 'x', {}, 300)).rejects.toMatchObject({
        code: 'TARGET_NOT_ACTIONABLE',
        details: { obstacle: 'element is not editable' },
      })
    })

    it('for inputs with a form of their own', async () => {
      for (const [css, text] of [
        ['#number', '-12.5'],
        ['#date', '2024-02-29'],
        ['#time', '23:59'],
        ['#month', '2024-12'],
        ['#color', '#aabbcc'],
      ] as const) {
        await type(css, text)
        expect(await value(css)).toBe(text)
      }
      await expect(type('#date', '29.02.2024')).rejects.toMatchObject({ code: 'ACTION_FAILED', message: /takes the form 2024-12-31/ })
      await expect(type('#time', 'noon')).rejects.toMatchObject({ code: 'ACTION_FAILED', message: /takes the form 23:59/ })
      await expect(type('#number', 'twelve')).rejects.toMatchObject({
        code: 'ACTION_FAILED',
        message: /a number input does not take this value/,
      })
    })

    it('for lists', async () => {
      await act({ type: 'select_option', target: { css: '#list' }, value: 'Large' })
      await expect(act({ type: 'select_option', target: { css: '#list' }, value: 'Huge' }, 300)).rejects.toMatchObject({
        code: 'TARGET_NOT_ACTIONABLE',
        message: /it has "Small", "Large"/,
        details: { options: ['Small', 'Large'] },
      })
      await expect(act({ type: 'select_option', target: { css: '#reset' }, value: 'b' })).rejects.toMatchObject({
        code: 'ACTION_FAILED',
        details: { expected: ['b'], received: ['a'] },
      })
      await expect(act({ type: 'select_option', target: { css: '#short' }, value: 'b' })).rejects.toMatchObject({ code: 'ACTION_FAILED' })
    })

    it('for boxes: roles, hidden ones drawn by their label, dead ones', async () => {
      const checked = (css: string) => page.inspect({ css }, within()).then((state) => state.checked)
      for (const css of ['#role', '#hiddenBox', '#tinyBox', '#plain', '#radio']) {
        await act({ type: 'check', target: { css } })
        await act({ type: 'check', target: { css } })
        expect([css, await checked(css)]).toEqual([css, true])
      }
      for (const css of ['#role', '#hiddenBox', '#tinyBox', '#plain']) {
        await act({ type: 'uncheck', target: { css } })
        expect([css, await checked(css)]).toEqual([css, false])
      }
      await expect(act({ type: 'check', target: { css: '#dead' } })).rejects.toMatchObject({
        code: 'ACTION_FAILED',
        details: { expected: 'checked', received: 'unchecked' },
      })
      await expect(act({ type: 'uncheck', target: { css: '#radio' } })).rejects.toMatchObject({ code: 'ACTION_FAILED' })
    })

    it('for files: hidden inputs, several, a button that opens a chooser', async () => {
      const file = 'data:text/plain;name=a.txt;base64,eA=='
      await act({ type: 'upload_file', target: { css: '#one' }, file })
      await act({ type: 'upload_file', target: { css: '#several' }, file })
      await act({ type: 'upload_file', target: { css: '#chooser' }, file: file.replace('a.txt', 'b.txt') })
      expect(await page.evaluate('[one.files[0].name, several.files[0].name]', undefined, within())).toEqual(['b.txt', 'a.txt'])
    })
  })

  describe('dialogs', () => {
    beforeEach(async () => {
      await page.navigate(`${site.base}/dialogs`, within())
      page.answerDialogs(null)
      page.takeDialogs()
    })

    it('are answered as told, each at once, and kept: at most 20', async () => {
      await click('#many', 10_000)
      expect(await page.textOf({ css: '#out' }, within())).toBe('done')
      const seen = page.takeDialogs()
      expect(seen).toHaveLength(20)
      expect(seen[0]).toEqual({ type: 'alert', message: '0', accepted: false })
      expect(page.takeDialogs()).toEqual([])
      await click('#ask')
      expect(await page.textOf({ css: '#out' }, within())).toBe('false/null')
      page.answerDialogs({ accept: true, text: 'Ada' })
      await click('#ask')
      expect(await page.textOf({ css: '#out' }, within())).toBe('true/Ada')
      page.answerDialogs({ accept: true })
      await click('#ask')
      expect(await page.textOf({ css: '#out' }, within())).toBe('true/none')
      expect(page.takeDialogs().map(({ accepted }) => accepted)).toEqual([false, false, true, true, true, true])
    })

    it('of frames and pop-ups are the page’s own', async () => {
      page.answerDialogs({ accept: true })
      await act({ type: 'click', target: { css: 'button', frame: '#frame' } })
      expect(page.takeDialogs()).toEqual([{ type: 'confirm', message: 'in frame', accepted: true }])
      await click('#pop')
      const popup = await launched.browser.activePage(within())
      await expect.poll(() => popup.title(within()), { timeout: 5_000 }).toBe('true')
      expect(page.takeDialogs().map(({ message }) => message)).toEqual(['pop', 'stay?'])
      await popup.close(within())
    })

    it('that never end are bounded, and cost the tab, not the browser', async () => {
      await expect(click('#ever', 1_000)).rejects.toMatchObject({ code: 'ACTION_TIMEOUT' })
      expect(page.takeDialogs()).toHaveLength(20)
      await expect.poll(() => launched.browser.pages().includes(page), { timeout: 5_000 }).toBe(false)
      page = await launched.browser.activePage(within())
      expect(await page.navigate(`${site.base}/dialogs`, within())).toMatchObject({ title: 'Dialogs' })
    })

    it('before a page is left are accepted', async () => {
      await page.navigate(`${site.base}/leave`, within())
      await type('#i', 'x')
      expect(await page.navigate(`${site.base}/dialogs`, within())).toMatchObject({ title: 'Dialogs' })
      expect(page.takeDialogs()).toMatchObject([{ type: 'beforeunload', accepted: true }])
    })
  })

  describe('downloads', () => {
    it('that an address is leave the page where it is', async () => {
      await page.navigate(`${site.base}/links`, within())
      const download = new Promise<PageDownload>((resolve) => launched.browser.onDownload(resolve))
      expect(await page.navigate(`${site.base}/file`, within())).toEqual({
        url: `${site.base}/links`,
        title: 'Links',
        httpStatus: null,
        download: 'bill_ 1.csv',
      })
      expect((await download).suggestedFilename).toBe('bill_ 1.csv')
      await expect(page.navigate(`${site.base}/nothing`, within())).rejects.toMatchObject({ code: 'NAVIGATION_FAILED' })
      expect(await page.navigate(`${site.base}/links`, within())).not.toHaveProperty('download')
    })

    it('come of links, data addresses and blobs', async () => {
      await page.navigate(`${site.base}/links`, within())
      const names: string[] = []
      const untie = launched.browser.onDownload((download) => names.push(download.suggestedFilename))
      for (const css of ['#link', '#data', '#blob']) await click(css)
      await expect.poll(() => names.sort(), { timeout: 5_000 }).toEqual(['bill_ 1.csv', 'blob.txt', 'note.txt'])
      untie()
    })
  })
})
