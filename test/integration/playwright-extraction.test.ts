import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Selectors } from '../../src/definition/index.js'
import type { PlaywrightPage } from '../../src/playwright/playwright-page.js'
import { describeUnless } from '../support/skips.js'
import { type Launched, launchBrowser, missingBrowser, startSite, within } from './playwright-kit.js'

const SHOP = `<!doctype html><html lang="de-DE"><title>Shop</title><base href="/shop/">
<h1>  Two
 lines </h1>
<table><tbody>
<tr class="row" data-id="1"><td>Apfel</td><td class="price">1.234,50 €</td><td><a href="a?x=1">mehr</a></td><td class="stock">3</td></tr>
<tr class="row" data-id="2"><td>Birne</td><td class="price">-2,5</td><td><a href="/b">mehr</a></td></tr>
</tbody></table>
<p data-testid="when">06.05.2024 14:30 Uhr</p>
<p id="sum">Summe: 99,90 EUR (3 Stück)</p>
<label>Name <input value="Ada"></label><input type="checkbox" id="ok" checked><select><option>eins<option selected>zwei</select>
<button aria-label="Weiter">x</button><div id="rich"><b>fett</b></div>
<x-box></x-box><p style="display:none" id="hidden">versteckt</p>
<script>customElements.define('x-box', class extends HTMLElement { connectedCallback(){ this.attachShadow({mode:'open'}).innerHTML='<span class="deep">tief</span>' } })</script></html>`

const SLOW = `<title>Slow</title><ul></ul><script>fetch('/rows').then(r=>r.json()).then(rows=>{document.querySelector('ul').innerHTML=rows.map(r=>'<li>'+r).join('')})</script>`

describeUnless(missingBrowser, 'extraction from a page', () => {
  let site: Awaited<ReturnType<typeof startSite>>
  let launched: Launched
  let page: PlaywrightPage
  beforeAll(async () => {
    site = await startSite({
      '/shop': SHOP,
      '/slow': SLOW,
      '/rows': (_request, response) => setTimeout(() => response.end('["a","b"]'), 400),
    })
    launched = await launchBrowser()
    page = await launched.browser.activePage(within())
    await page.navigate(`${site.base}/shop`, within())
  })
  afterAll(async () => {
    await launched?.end()
    await site?.stop()
  })
  const extract = (selectors: Selectors, timeoutMs = 3_000) => page.extract(selectors, within(timeoutMs))

  it('reads text, attributes, HTML, forms, roles, labels, test ids, XPath and shadow roots', async () => {
    expect(
      await extract({
        title: 'h1',
        link: { css: 'a', attr: 'href' },
        rich: { css: '#rich', html: true },
        name: { label: 'Name' },
        button: { role: 'button', name: 'weiter', attr: 'aria-label' },
        when: { testId: 'when', type: 'date' },
        first: { xpath: '//td[1]' },
        id: { xpath: '//tr/@data-id' },
        ok: { css: '#ok', type: 'boolean' },
        choice: 'select',
        deep: '.deep',
        hidden: '#hidden',
        has: { css: 'td:has-text("Birne")' },
      }),
    ).toEqual({
      title: 'Two lines',
      link: 'a?x=1',
      rich: '<b>fett</b>',
      name: 'Ada',
      button: 'Weiter',
      when: '2024-05-06T14:30:00',
      first: 'Apfel',
      id: expect.any(String),
      ok: true,
      choice: 'zwei',
      deep: 'tief',
      hidden: 'versteckt',
      has: 'Birne',
    })
  })

  it('reads lists of values and of objects, relative to each match', async () => {
    expect(
      await extract({
        names: { css: '.row td:first-child', all: true },
        rows: {
          css: '.row',
          each: {
            id: { css: ':scope', attr: 'data-id', type: 'integer' },
            price: { css: '.price', type: 'number' },
            url: { css: 'a', type: 'url' },
            second: { xpath: './td[2]' },
            stock: { css: '.stock', type: 'integer', optional: true },
            cell: { role: 'cell', name: 'mehr' },
          },
        },
        none: { css: '.none', all: true, optional: true },
        gone: { css: '.none', optional: true },
        sum: { css: '#sum', pattern: '([\\d,]+) EUR', type: 'number' },
      }),
    ).toEqual({
      names: ['Apfel', 'Birne'],
      rows: [
        { id: 1, price: 1234.5, url: `${site.base}/shop/a?x=1`, second: '1.234,50 €', stock: 3, cell: 'mehr' },
        { id: 2, price: -2.5, url: `${site.base}/b`, second: '-2,5', stock: null, cell: 'mehr' },
      ],
      none: [],
      gone: null,
      sum: 99.9,
    })
  })

  it('names field and selector of what cannot be read', async () => {
    const failing = (selectors: Selectors) => extract(selectors).catch((error: unknown) => error)
    expect(await failing({ total: '#none' })).toMatchObject({
      code: 'EXTRACTION_FAILED',
      message: 'Field total (css "#none") was not read: nothing matches',
      details: { field: 'total', selector: 'css "#none"' },
    })
    expect(await failing({ rows: { css: '.row', each: { stock: { css: '.stock', type: 'integer' } } } })).toMatchObject({
      details: { field: 'rows[1].stock' },
    })
    expect(await failing({ title: { css: 'h1', type: 'number' } })).toMatchObject({ message: /"Two lines" is no number/ })
    expect(await failing({ title: { css: 'h1', attr: 'nope' } })).toMatchObject({ message: /has no attribute "nope"/ })
    expect(await failing({ title: { css: 'h1', pattern: '\\d+' } })).toMatchObject({ message: /does not fit the pattern/ })
    expect(await failing({ bad: 'p[[' })).toMatchObject({ code: 'EXTRACTION_FAILED', message: /cannot be used/ })
    expect(await failing({ bad: { xpath: '//[' } })).toMatchObject({ code: 'EXTRACTION_FAILED', message: /cannot be used/ })
  })

  it('looks again while the page is still loading, and fails soon when it is not', async () => {
    await page.navigate(`${site.base}/slow`, within())
    expect(await extract({ rows: { css: 'li', all: true } })).toEqual({ rows: ['a', 'b'] })
    const startedAtMs = performance.now()
    await expect(extract({ gone: '#gone' }, 30_000)).rejects.toMatchObject({ code: 'EXTRACTION_FAILED' })
    console.log(`a field that is not there: failed after ${Math.round(performance.now() - startedAtMs)} ms`)
    expect(performance.now() - startedAtMs).toBeLessThan(10_000)
  })
})
