import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Target } from '../../src/definition/index.js'
import type { PlaywrightPage } from '../../src/playwright/playwright-page.js'
import type { PageInteraction } from '../../src/sessions/ports.js'
import { type Launched, launchBrowser, missingBrowser, parsed, startSite, within } from '../integration/playwright-kit.js'
import { describeUnless } from '../support/skips.js'

/** One of everything; the same in the page, in frames and in a shadow root. */
const CONTROLS = `<p class="out"></p><button class="go" onclick="say(this,'clicked')">Go on</button><b class="over" onmouseenter="say(this,'hovered')">over</b>
<label>Full name <input class="name" placeholder="Your name" data-testid="name" onkeydown="if(event.key==='Enter')say(this,'entered')"></label>
<select class="size"><option>Small</option><option>Large</option></select><input type="checkbox" class="box"><input type="file" class="file">
<div class="html" draggable="true" style="width:40px;height:40px;background:red"></div><div class="bin" style="width:60px;height:60px;background:blue" ondragover="event.preventDefault()" ondrop="say(this,'dropped')"></div>
<div class="knob" style="width:40px;height:40px;background:green;touch-action:none"></div><div class="slot" style="width:60px;height:60px;background:gray"></div><div class="scroll" style="height:50px;overflow:auto"><div style="height:900px"></div></div>`

const HELPERS = `function say(element,text){element.getRootNode().querySelector('.out').textContent=text}
function pointerDrag(root){const knob=root.querySelector('.knob');let isDown=false;knob.addEventListener('pointerdown',()=>{isDown=true});
document.addEventListener('pointerup',e=>{if(!isDown)return;isDown=false;const hit=root.elementFromPoint(e.clientX,e.clientY);if(hit&&hit.className==='slot')say(knob,'placed')})}`

const page = (inner: string) =>
  `<!doctype html><title>Controls</title><script>${HELPERS}</script>${CONTROLS}${inner}<script>pointerDrag(document)</script>`

const ROOT = (other: string) =>
  page(`<my-box></my-box><iframe id="near" src="/plain" width="400" height="500"></iframe><iframe id="far" src="${other}/nest" width="500" height="700"></iframe>
<script src="/box.js"></script>`)

const BOX = `customElements.define('my-box',class extends HTMLElement{connectedCallback(){const root=this.attachShadow({mode:'open'});root.innerHTML=${JSON.stringify(CONTROLS)};pointerDrag(root)}})`

/** Only the rows in view are there. */
const VIRTUAL = `<title>Virtual</title><div id="list" style="height:200px;overflow:auto;position:relative"><div id="space" style="height:200000px"></div></div><p id="out"></p>
<script>const draw=()=>{space.innerHTML='';const first=Math.floor(list.scrollTop/20);for(let i=first;i<first+12;i++){const row=document.createElement('button');row.textContent='Row '+i;row.style='position:absolute;height:20px;top:'+i*20+'px';row.onclick=()=>{out.textContent='row '+i};space.append(row)}};list.onscroll=draw;draw()</script>`

describeUnless(missingBrowser, 'every action', () => {
  let site: Awaited<ReturnType<typeof startSite>>
  let other: Awaited<ReturnType<typeof startSite>>
  let launched: Launched
  let driver: PlaywrightPage
  beforeAll(async () => {
    other = await startSite({ '/nest': '<iframe id="inner" src="/plain" width="400" height="600"></iframe>', '/plain': page('') })
    site = await startSite({
      '/': ROOT(other.base.replace('127.0.0.1', 'localhost')),
      '/plain': page(''),
      '/box.js': (_request, response) => response.end(BOX),
      '/virtual': VIRTUAL,
      '/tabs':
        '<title>Tabs</title><a id="blank" target="_blank" href="/plain">blank</a><button id="pop" onclick="window.open(\'/plain\',\'w\',\'width=500,height=600\')">pop</button>',
      '/look':
        '<title>Look</title><h1>Head</h1><input aria-label="Name" value="Ada"><input type="password" aria-label="Pass" value="hunter2"><button onclick="this.textContent=+this.textContent+1">0</button><p id="p">text</p>',
      '/files':
        '<title>Files</title><input id="text"><textarea id="area"></textarea><button id="none">None</button><input id="file" type="file" hidden><button id="opens" onclick="file.click()">Open</button>',
      '/drag':
        '<title>Drag</title><div id="from" onmousedown="out.textContent=\'pressed\'">from</div><i class="bin">a</i><i class="bin">b</i><p id="out"></p>',
      '/draws':
        '<title>Draws</title><button onclick="requestAnimationFrame(()=>{out.textContent=\'drawn\'})">draw</button><p id="out">before</p>',
    })
    launched = await launchBrowser({}, { viewport: { width: 1_000, height: 2_400 } })
    driver = await launched.browser.activePage(within())
  })
  afterAll(async () => {
    await launched?.end()
    await site?.stop()
    await other?.stop()
  })

  const defaults: Partial<Record<PageInteraction['type'], object>> = {
    click: { button: 'left', clickCount: 1 },
    input_text: { clear: true },
  }
  const act = (interaction: { type: PageInteraction['type'] } & Record<string, unknown>, on = driver) =>
    on.perform({ ...defaults[interaction.type], ...parsed, ...interaction } as unknown as PageInteraction, within())

  /** Does everything that can be done to an element, somewhere in a page. */
  async function doEverything(on: PlaywrightPage, at: (css: string) => Target) {
    const out = () => on.textOf(at('.out'), within())
    await act({ type: 'click', target: at('.go') }, on)
    expect(await out()).toBe('clicked')
    await act({ type: 'hover', target: at('.over') }, on)
    expect(await out()).toBe('hovered')
    await act({ type: 'input_text', target: at('.name'), value: 'Ada' }, on)
    await act({ type: 'press_key', target: at('.name'), key: 'Enter' }, on)
    expect(await out()).toBe('entered')
    await act({ type: 'press_key', key: 'x' }, on)
    expect((await on.inspect(at('.name'), within())).value).toBe('Adax')
    await act({ type: 'select_option', target: at('.size'), value: 'Large' }, on)
    expect((await on.inspect(at('.size'), within())).value).toBe('Large')
    await act({ type: 'check', target: at('.box') }, on)
    expect((await on.inspect(at('.box'), within())).checked).toBe(true)
    await act({ type: 'uncheck', target: at('.box') }, on)
    await act({ type: 'upload_file', target: at('.file'), file: 'data:text/plain;name=a.txt,x' }, on)
    expect((await on.inspect(at('.file'), within())).value).toContain('a.txt')
    await act({ type: 'drag_and_drop', target: at('.html'), destination: at('.bin') }, on)
    expect(await out()).toBe('dropped')
    await act({ type: 'drag_and_drop', target: at('.knob'), destination: at('.slot') }, on)
    expect(await out()).toBe('placed')
    await act({ type: 'scroll', target: at('.scroll'), direction: 'down', amountPx: 100 }, on)
    expect(await on.locate(at('.go'), within())).toMatchObject({ tag: 'button', role: 'button', name: 'Go on' })
  }

  const FAR = ['#far', '#inner']

  it.each<[string, (css: string) => Target]>([
    ['in a frame of the same site', (css) => ({ css, frame: '#near' })],
    ['in a frame within a frame of another site', (css) => ({ css, frame: FAR })],
    ['in a shadow root', (css) => ({ css: `my-box ${css}` })],
    ['in the page', (css) => ({ css: `body > ${css}, body > label > ${css}` })],
  ])('works %s', async (_where, at) => {
    await driver.navigate(`${site.base}/`, within())
    await doEverything(driver, at)
  })

  it('gives no file to what takes none, and says when no chooser opens', async () => {
    await driver.navigate(`${site.base}/files`, within())
    const upload = (css: string) =>
      driver.perform({ ...parsed, type: 'upload_file', target: { css }, file: 'data:,x' } as never, within(1_500))
    for (const css of ['#text', '#area']) {
      await expect(upload(css)).rejects.toMatchObject({ code: 'ACTION_FAILED', message: expect.stringContaining('takes no file') })
      expect((await driver.inspect({ css }, within())).value).toBe('')
    }
    await expect(upload('#none')).rejects.toMatchObject({ code: 'ACTION_TIMEOUT', message: expect.stringContaining('no file chooser') })
    await expect(upload('#gone')).rejects.toMatchObject({ code: 'TARGET_NOT_FOUND' })
    await upload('#opens')
    expect((await driver.inspect({ css: '#file' }, within())).value).toContain('file')
  })

  it('names the destination of a drag that is not there or not one, with nothing pressed', async () => {
    await driver.navigate(`${site.base}/drag`, within())
    const drag = (destination: string, target = '#from') =>
      driver.perform({ ...parsed, type: 'drag_and_drop', target: { css: target }, destination: { css: destination } } as never, within(700))
    await expect(drag('#no')).rejects.toMatchObject({ code: 'TARGET_NOT_FOUND', message: expect.stringContaining('css "#no"') })
    await expect(drag('.bin')).rejects.toMatchObject({ code: 'TARGET_AMBIGUOUS', message: expect.stringContaining('css ".bin"') })
    await expect(drag('#no', '#lost')).rejects.toMatchObject({ code: 'TARGET_NOT_FOUND', message: expect.stringContaining('css "#lost"') })
    expect(await driver.textOf({ css: '#out' }, within())).toBe('')
  })

  it('works in new tabs and pop-up windows', async () => {
    for (const css of ['#blank', '#pop']) {
      await driver.navigate(`${site.base}/tabs`, within())
      await act({ type: 'click', target: { css } })
      await driver.settle(within())
      const tab = await launched.browser.activePage(within())
      expect([css, tab === driver]).toEqual([css, false])
      await doEverything(tab, (inner) => ({ css: inner }))
      await tab.close(within())
    }
    expect(await launched.browser.activePage(within())).toBe(driver)
  })

  it('finds its target by role, label, placeholder, test id, text, CSS, XPath', async () => {
    await driver.navigate(`${site.base}/plain`, within())
    for (const target of [
      { role: 'textbox', name: 'full name' },
      { label: 'Full name' },
      { placeholder: 'your name' },
      { testId: 'name' },
      { css: '.name' },
      { xpath: '//input[@class="name"]' },
    ] satisfies Target[]) {
      await act({ type: 'input_text', target, value: JSON.stringify(target) })
      expect(await driver.locate(target, within())).toMatchObject({ tag: 'input', name: 'Full name' })
      expect((await driver.inspect({ css: '.name' }, within())).value).toBe(JSON.stringify(target))
    }
    await act({ type: 'click', target: { text: 'go ON' } })
    expect(await driver.textOf({ css: '.out' }, within())).toBe('clicked')
    await expect(driver.locate({ css: 'input' }, within())).rejects.toMatchObject({ code: 'TARGET_AMBIGUOUS' })
    await expect(driver.locate({ css: '#none' }, within(200))).rejects.toMatchObject({ code: 'TARGET_NOT_FOUND' })
  })

  it('reaches the rows of a list that draws only what is in view', async () => {
    await driver.navigate(`${site.base}/virtual`, within())
    expect(await driver.isVisible({ text: 'Row 500' }, within())).toBe(false)
    await act({ type: 'scroll', target: { css: '#list' }, direction: 'down', amountPx: 9_990 })
    await act({ type: 'click', target: { role: 'button', name: 'Row 500' } })
    expect(await driver.textOf({ css: '#out' }, within())).toBe('row 500')
  })

  describe('is looked at', () => {
    it('as text with references, without passwords, cut at a line', async () => {
      await driver.navigate(`${site.base}/look`, within())
      const whole = await driver.observe({ maxChars: 10_000 }, within())
      expect(whole).toMatchObject({ url: `${site.base}/look`, title: 'Look', truncated: false })
      expect(whole.snapshot).toMatch(/heading "Head".*\[ref=\w+\]/)
      expect(whole.snapshot).toMatch(/textbox "Name" \[ref=\w+\].*Ada/)
      expect(whole.snapshot).toMatch(/textbox "Pass" \[ref=\w+\]/)
      expect(whole.snapshot).not.toContain('hunter2')
      const again = await driver.observe({ maxChars: 10_000 }, within())
      expect(again.snapshot).toBe(whole.snapshot)
      const cut = await driver.observe({ maxChars: 60 }, within())
      expect(cut.truncated).toBe(true)
      expect(whole.snapshot.startsWith(`${cut.snapshot}\n`)).toBe(true)
    })

    it('by a fingerprint that differs when it looks different', async () => {
      await driver.navigate(`${site.base}/look`, within())
      const seen = [await driver.fingerprint(within())]
      expect(await driver.fingerprint(within())).toBe(seen[0])
      await act({ type: 'hover', target: { css: '#p' } })
      expect(await driver.fingerprint(within())).toBe(seen[0])
      await act({ type: 'click', target: { css: 'button' } })
      seen.push(await driver.fingerprint(within()))
      await act({ type: 'input_text', target: { label: 'Name' }, value: 'Bob' })
      seen.push(await driver.fingerprint(within()))
      await driver.evaluate('void history.pushState(0, "", "?other")', undefined, within())
      seen.push(await driver.fingerprint(within()))
      expect(new Set(seen).size).toBe(4)
    })

    it('when what the last action drew is there, though that was settled at once', async () => {
      await driver.navigate(`${site.base}/draws`, within())
      await act({ type: 'click', target: { css: 'button' } })
      await driver.settle(within())
      expect(await driver.textOf({ css: '#out' }, within())).toBe('drawn')
    })

    it('frame by frame, by address', async () => {
      await driver.navigate(`${site.base}/`, within())
      const elsewhere = other.base.replace('127.0.0.1', 'localhost')
      expect(driver.frameUrls()).toEqual([`${site.base}/`, `${site.base}/plain`, `${elsewhere}/nest`, `${elsewhere}/plain`])
    })
  })
})
