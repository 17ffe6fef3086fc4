import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import type { Target } from '../../src/definition/index.js'
import type { PlaywrightPage } from '../../src/playwright/playwright-page.js'
import type { PageInteraction } from '../../src/sessions/ports.js'
import { type Launched, launchBrowser, missingBrowser, parsed, startSite, within } from '../integration/playwright-kit.js'
import { describeUnless } from '../support/skips.js'

const INNER = `<title>Inner</title><button class="danger" onclick="top.postMessage('inner','*')">Delete inner</button><button id="fine">Fine</button>`

const page = (other: string) => `<!doctype html><title>Blinded</title>
<p id="intro">Account <span class="danger">secret balance</span> of Ada</p>
<button class="danger" id="delete" onclick="this.dataset.hit=1;hits.push('delete')">Delete account</button>
<div class="danger"><button id="nested" onclick="hits.push('nested')">Nested</button></div>
<button id="ok" onclick="hits.push('ok')">OK</button>
<button id="cover" style="position:relative;width:200px;height:40px" onclick="hits.push('cover')">Cover<b class="danger" style="position:absolute;inset:0" onclick="hits.push('covered')">x</b></button>
<label id="label" for="agree">Agree to everything</label><input class="danger" type="checkbox" id="agree" onchange="hits.push('agree')">
<div id="drag" draggable="true">drag</div><div id="bin" class="danger" ondragover="event.preventDefault()" ondrop="hits.push('bin')">bin</div>
<form onsubmit="hits.push('submit');return false"><input id="amount" value="5"><button class="danger">Pay</button></form>
<input id="typed" class="danger" value="typed secret">
<select id="list"><option>one</option><option class="danger" selected>two</option></select>
<svg id="svg"><text y="20">drawn <tspan class="danger">drawn secret</tspan></text></svg><label id="filelabel">File <input type="file" class="danger"></label>
<div id="hidden" style="display:none">before <i class="danger">unseen secret</i> after</div>
<template><p class="danger">template secret</p></template>
<my-box id="box"><span id="slotted">slotted</span></my-box>
<iframe id="same" srcdoc="<button class='danger' id='in'>Delete same</button><p>same text</p>"></iframe>
<iframe id="cross" src="${other}/inner"></iframe><div class="danger"><iframe id="away" src="${other}/inner"></iframe></div>
<script src="/page.js"></script>`

// Apart from the page: what stands in a script is no element's text.
const SCRIPT = `hits=[];customElements.define('my-box',class extends HTMLElement{connectedCallback(){this.attachShadow({mode:'open'}).innerHTML='<button class="danger" id="shadow" onclick="hits.push(1)">Shadow delete</button><div class="danger"><slot></slot></div><em>shadow text</em>'}})`

/** Undoes whatever hides: style sheets, styles of its own, the platform's functions. */
const HOSTILE = `<!doctype html><title>Hostile</title><p id="all">shown <b class="danger" id="d" style="display:block !important" onclick="document.title='hit'">never shown</b></p>
<script>
Element.prototype.matches=()=>false; Element.prototype.closest=()=>null;
const undo=()=>{document.adoptedStyleSheets=[];for(const s of document.styleSheets)s.disabled=true;requestAnimationFrame(undo)};undo()
</script>`

describeUnless(missingBrowser, 'what is behind a blinder', () => {
  let site: Awaited<ReturnType<typeof startSite>>
  let other: Awaited<ReturnType<typeof startSite>>
  let launched: Launched
  let driver: PlaywrightPage
  beforeAll(async () => {
    other = await startSite({ '/inner': INNER })
    site = await startSite({
      '/': page(other.base.replace('127.0.0.1', 'localhost')),
      '/hostile': HOSTILE,
      '/page.js': (_request, response) => response.end(SCRIPT),
    })
    launched = await launchBrowser()
    driver = await launched.browser.activePage(within())
  })
  afterAll(async () => {
    await launched?.end()
    await site?.stop()
    await other?.stop()
  })
  beforeEach(async () => {
    await launched.browser.setBlinders(['.danger'], within())
    await driver.navigate(`${site.base}/`, within())
  })

  const defaults: Partial<Record<PageInteraction['type'], object>> = {
    click: { button: 'left', clickCount: 1 },
    input_text: { clear: true },
  }
  const act = (interaction: { type: PageInteraction['type'] } & Record<string, unknown>, timeoutMs = 3_000) =>
    driver.perform({ ...defaults[interaction.type], ...parsed, ...interaction } as unknown as PageInteraction, within(timeoutMs))
  const hits = () => driver.evaluate('hits', undefined, within())
  const refused = { code: 'ACTION_BLOCKED', details: { rule: 'blinder' } }

  it('cannot be acted on, whatever leads to it', async () => {
    const targets: Target[] = [
      { css: '#delete' },
      { text: 'Nested' },
      { css: '#nested' },
      { css: '#shadow' },
      { css: '#slotted' },
      { css: '#label' },
      { css: '#in', frame: '#same' },
      { css: '.danger', frame: '#cross' },
      { css: '#fine', frame: '#away' },
    ]
    for (const target of targets) await expect(act({ type: 'click', target }), JSON.stringify(target)).rejects.toMatchObject(refused)
    for (const target of targets.filter(({ css }) => css !== '#label')) {
      await expect(driver.locate(target, within()), JSON.stringify(target)).rejects.toMatchObject(refused)
    }
    // roles are those of what is shown
    await expect(act({ type: 'click', target: { role: 'button', name: 'Delete account' } }, 300)).rejects.toMatchObject({
      code: 'TARGET_NOT_FOUND',
    })
    await expect(act({ type: 'check', target: { css: '#agree' } })).rejects.toMatchObject(refused)
    await expect(act({ type: 'input_text', target: { css: '#typed' }, value: 'x' })).rejects.toMatchObject(refused)
    await expect(act({ type: 'drag_and_drop', target: { css: '#drag' }, destination: { css: '#bin' } })).rejects.toMatchObject(refused)
    await expect(act({ type: 'press_key', key: 'Enter', target: { css: '#amount' } })).rejects.toMatchObject(refused)
    expect(await hits()).toEqual([])
    await act({ type: 'click', target: { css: '#ok' } })
    await act({ type: 'click', target: { css: '#cover' } })
    await act({ type: 'press_key', key: '1', target: { css: '#amount' } })
    await act({ type: 'click', target: { css: '#fine', frame: '#cross' } })
    expect(await hits()).toEqual(['ok', 'cover'])
  })

  it('is no option to choose, and nothing to wait for', async () => {
    for (const value of ['two', ' two ']) {
      await expect(act({ type: 'select_option', target: { css: '#list' }, value })).rejects.toMatchObject(refused)
    }
    const failed = await act({ type: 'select_option', target: { css: '#list' }, value: 'three' }, 500).catch((error: unknown) => error)
    expect(failed).toMatchObject({ details: { options: ['one'] } })
    await act({ type: 'select_option', target: { css: '#list' }, value: 'one' })
    await expect(act({ type: 'upload_file', target: { css: '#filelabel' }, file: 'data:,x' })).rejects.toMatchObject(refused)
    const missing = { code: 'TARGET_NOT_FOUND' }
    const wait = (condition: Parameters<typeof driver.waitFor>[0]) => driver.waitFor(condition, within(400))
    for (const target of [{ css: '#delete' }, { css: '#nested' }, { css: '#in', frame: '#same' }, { css: '#fine', frame: '#away' }]) {
      await expect(wait({ target, state: 'attached' }), JSON.stringify(target)).rejects.toMatchObject(missing)
      await wait({ target, state: 'detached' })
    }
    await wait({ target: { css: '#hidden' }, state: 'attached' })
    await wait({ target: { css: 'p', frame: '#same' }, state: 'visible' })
    await expect(wait({ target: { css: '#ok' }, state: 'hidden' })).rejects.toMatchObject({ code: 'ACTION_TIMEOUT' })
    for (const text of ['Account secret', 'secret balance', 'Delete account'])
      await expect(wait({ text }), text).rejects.toMatchObject(missing)
    for (const text of ['of Ada', 'OK']) await wait({ text })
    expect(await driver.extract({ svg: { css: '#svg' }, part: { css: '#svg text' } }, within())).toEqual({ svg: 'drawn', part: 'drawn' })
  })

  it('gets no key, in any frame', async () => {
    // A page that shows it in spite of everything: the focus would stay there.
    await driver.evaluate('void (typed.className = "", typed.focus())', undefined, within())
    await act({ type: 'press_key', key: 'a' })
    const press = async (key: string) => act({ type: 'press_key', key }).catch((error: unknown) => expect(error).toMatchObject(refused))
    await driver.evaluate('void (typed.className = "danger")', undefined, within())
    await press('b')
    expect(await driver.evaluate('typed.value', undefined, within())).toBe('atyped secret')
    const inFrame = 'same.contentDocument.querySelector("p")'
    await driver.evaluate(
      `void (typed.blur(), ${inFrame}.tabIndex = 0, ${inFrame}.onkeydown = (e) => hits.push(e.key), ${inFrame}.focus())`,
      undefined,
      within(),
    )
    await act({ type: 'press_key', key: 'c' })
    await driver.evaluate(`void (${inFrame}.className = "danger")`, undefined, within())
    await press('d')
    expect(await hits()).toEqual(['c'])
  })

  it('is in nothing that is read', async () => {
    const read = [
      JSON.stringify(
        await driver.extract(
          { intro: '#intro', hidden: '#hidden', html: { css: 'body', html: true }, list: '#list', all: { css: 'button', all: true } },
          within(),
        ),
      ),
      await driver.textOf({ css: 'body' }, within()),
      await driver.textOf({ css: '#hidden' }, within()),
      await driver.content(within()),
      (await driver.observe({ maxChars: 20_000 }, within())).snapshot,
      JSON.stringify(await driver.inspect({ css: 'body' }, within())),
    ]
    const shown = await driver.observe({ maxChars: 20_000 }, within())
    expect(shown.snapshot).toMatch(/OK[\s\S]*shadow text[\s\S]*same text[\s\S]*Fine/)
    for (const text of read) {
      expect(text).toMatch(/OK|before/)
      expect(text).not.toMatch(/secret|Delete|Nested|two|Shadow|Pay/)
    }
    expect(await driver.textOf({ css: '#intro' }, within())).toMatch(/^Account\s+of Ada$/)
    expect(await driver.textOf({ css: '#hidden' }, within())).toMatch(/^before\s+after$/)
    expect(await driver.inspect({ css: '#delete' }, within())).toMatchObject({ count: 0, visible: false, text: null })
    expect(await driver.isVisible({ css: '#delete' }, within())).toBe(false)
    await expect(driver.extract({ x: '#delete' }, within(500))).rejects.toMatchObject({ code: 'EXTRACTION_FAILED' })
    await expect(driver.extract({ x: { xpath: '//*[@id="delete"]/text()' } }, within(500))).rejects.toMatchObject({
      code: 'EXTRACTION_FAILED',
    })
    await expect(driver.textOf({ css: '#typed' }, within(500))).rejects.toMatchObject({ code: 'TARGET_NOT_FOUND' })
  })

  it('stays there on a page that undoes styles and replaces what the check is made of', async () => {
    await driver.navigate(`${site.base}/hostile`, within())
    await expect(act({ type: 'click', target: { css: '#d' } })).rejects.toMatchObject(refused)
    expect(await driver.textOf({ css: '#all' }, within())).toBe('shown')
    expect((await driver.observe({ maxChars: 5_000 }, within())).snapshot).not.toContain('never')
    expect(await driver.title(within())).toBe('Hostile')
  })

  it('appears again when the list ends, and the document stays as it was', async () => {
    await launched.browser.setBlinders([], within())
    await act({ type: 'click', target: { css: '#delete' } })
    expect(await hits()).toEqual(['delete'])
    expect(await driver.textOf({ css: '#intro' }, within())).toContain('secret')
    const before = await driver.content(within())
    await launched.browser.setBlinders(['.danger'], within())
    expect(await driver.content(within())).not.toContain('Delete account')
    await launched.browser.setBlinders([], within())
    expect(await driver.content(within())).toBe(before)
    await driver.reload(within())
    expect(await driver.isVisible({ css: '#delete' }, within())).toBe(true)
  })

  it('is what the present list says: other selectors, new tabs, and the same list at no cost', async () => {
    await launched.browser.setBlinders(['#ok', 'p:has(span)'], within())
    await act({ type: 'click', target: { css: '#delete' } })
    await expect(act({ type: 'click', target: { css: '#ok' } })).rejects.toMatchObject(refused)
    const tab = await launched.browser.newPage(within())
    await tab.navigate(`${site.base}/`, within())
    expect(await tab.isVisible({ css: '#ok' }, within())).toBe(false)
    await tab.close(within())
    await launched.browser.setBlinders(['#ok', 'p:has(span)'], within(1))
    for (const selector of ['a[', '', '::', ')']) {
      await expect(launched.browser.setBlinders(['#fine', selector], within())).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        details: { path: 'blinders[1]' },
      })
    }
    await expect(act({ type: 'click', target: { css: '#ok' } })).rejects.toMatchObject(refused)
  })
})
