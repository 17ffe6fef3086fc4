import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decimalAmount, formatAmount, type InvoicePage, invoicePage, invoices, totalCents } from '../../examples/site/invoices.js'
import { invoicePdf } from '../../examples/site/pdf.js'
import { EXAMPLE_USER, type ExampleSite, startExampleSite } from '../../examples/site/server.js'
import { safeNext } from '../../examples/site/sessions.js'

let site: ExampleSite
beforeAll(async () => {
  site = await startExampleSite({ delayMs: 1 })
})
afterAll(() => site.close())

const get = (path: string, cookie = '') => fetch(site.origin + path, { redirect: 'manual', headers: { cookie } })
const post = (path: string, form: Record<string, string>, cookie = '') =>
  fetch(site.origin + path, { method: 'POST', redirect: 'manual', body: new URLSearchParams(form), headers: { cookie } })
const cookieOf = (response: Response) => response.headers.getSetCookie()[0]?.split(';')[0] ?? ''
const signIn = async (form: Record<string, string> = {}) => cookieOf(await post('/sign-in', { ...EXAMPLE_USER, ...form }))
const location = (response: Response) => response.headers.get('location')

describe('signing in', () => {
  it.each(['/', '/invoices?page=2', '/invoices/INV-1001', '/invoices/INV-1001/pdf', '/export', '/exports/EXP-1', '/nowhere'])(
    'is asked for at %s, and leads back there',
    async (path) => {
      const response = await get(path)
      expect(response.status).toBe(303)
      expect(location(response)).toBe(`/sign-in?next=${encodeURIComponent(path)}`)
      expect(location(await post('/sign-in', { ...EXAMPLE_USER, next: path }))).toBe(path)
    },
  )

  it('is refused with a wrong password, with a message and the name kept', async () => {
    const response = await post('/sign-in', { username: 'a"b', password: 'x' })
    expect(response.status).toBe(401)
    expect(response.headers.getSetCookie()).toEqual([])
    const page = await response.text()
    expect(page).toContain('role="alert" data-testid="error"')
    expect(page).toContain('value="a&quot;b"')
  })

  it('sets a cookie that scripts cannot read, and that opens the pages', async () => {
    const response = await post('/sign-in', EXAMPLE_USER)
    expect(response.headers.getSetCookie()[0]).toMatch(/^example_session=[\w-]{32}; Path=\/; HttpOnly; SameSite=Lax$/)
    const home = await get('/', cookieOf(response))
    expect(home.status).toBe(200)
    expect(await home.text()).toContain('data-testid="username">ada<')
  })

  it('remembers the user name also after signing out, if asked to', async () => {
    const response = await post('/sign-in', { ...EXAMPLE_USER, remember: 'yes' })
    const remember = response.headers.getSetCookie()[1] ?? ''
    expect(remember).toContain('Max-Age=')
    expect(await (await get('/sign-in', remember.split(';')[0])).text()).toContain('value="ada"')
  })

  it('ends with signing out', async () => {
    const cookie = await signIn()
    const response = await post('/sign-out', {}, cookie)
    expect(location(response)).toBe('/sign-in?signed-out=1')
    expect(response.headers.getSetCookie()[0]).toContain('Max-Age=0')
    expect((await get('/', cookie)).status).toBe(303)
    expect((await get('/api/invoices', cookie)).status).toBe(401)
  })

  it.each([
    null,
    '',
    'https://elsewhere.example',
    '//elsewhere.example',
    '/\\elsewhere.example',
    '/\t/elsewhere.example',
    '/.//elsewhere.example',
  ])('does not lead to another site: %j', (next) => expect(safeNext(next)).toBe('/'))

  it('keeps a path in ASCII, as a header needs it', () => expect(safeNext('/invoices?q=é\n')).toBe('/invoices?q=%C3%A9'))
})

describe('invoices', () => {
  it('come in three pages of eight, which add up', async () => {
    const cookie = await signIn()
    const pages = await Promise.all(
      [1, 2, 3].map(async (page) => (await get(`/api/invoices?page=${page}`, cookie)).json() as Promise<InvoicePage>),
    )
    expect(pages.map((page) => [page.page, page.pages, page.invoices.length])).toEqual([
      [1, 3, 8],
      [2, 3, 8],
      [3, 3, 8],
    ])
    expect(pages.flatMap((page) => page.invoices)).toEqual(invoices)
    expect(pages.reduce((sum, page) => sum + page.pageTotalCents, 0)).toBe(totalCents(invoices))
  })

  it.each([
    [0, 1],
    [-4, 1],
    [99, 3],
    [Number.NaN, 1],
    [1.5, 1],
  ])('page %s shows page %s', (asked, shown) => expect(invoicePage(asked).page).toBe(shown))

  it('are written for people and for programs', () => {
    expect([5, 99_999, 123_450, 123_456_789].map(formatAmount)).toEqual(['0.05 €', '999.99 €', '1,234.50 €', '1,234,567.89 €'])
    expect(decimalAmount(123_450)).toBe('1234.50')
  })

  it('are what docs/example-site.md says they are', () => {
    const doc = readFileSync(new URL('../../docs/example-site.md', import.meta.url), 'utf8')
    const [first, second, third] = [1, 2, 3].map((page) => formatAmount(invoicePage(page).pageTotalCents))
    const { openTotalCents } = invoicePage(1)
    expect(doc).toContain(`page totals ${first}, ${second} and ${third}, together ${formatAmount(totalCents(invoices))};`)
    expect(doc).toContain(`together ${formatAmount(openTotalCents)}.`)
  })

  it('have a page each', async () => {
    const cookie = await signIn()
    const page = await (await get('/invoices/INV-1001', cookie)).text()
    expect(page).toContain('<title>Invoice INV-1001 · Harbour Books</title>')
    expect(page).toContain('Aster &amp; Bloom Florists')
    expect(page).toContain('data-amount="1234.50">1,234.50 €<')
    expect((await get('/invoices/INV-9999', cookie)).status).toBe(404)
  })

  it('can be downloaded as PDF', async () => {
    const response = await get('/invoices/INV-1018/pdf', await signIn())
    expect(response.headers.get('content-type')).toBe('application/pdf')
    expect(response.headers.get('content-disposition')).toBe('attachment; filename="invoice-INV-1018.pdf"')
    expect(Buffer.from(await response.arrayBuffer()).equals(pdfOf('INV-1018'))).toBe(true)
  })

  it('give a PDF whose table of objects points at them', () => {
    const pdf = pdfOf('INV-1001').toString('latin1')
    const start = Number(/startxref\n(\d+)\n%%EOF\n$/.exec(pdf)?.[1])
    expect(pdf.slice(start, start + 4)).toBe('xref')
    const offsets = Array.from(pdf.slice(start).matchAll(/^(\d{10}) 00000 n $/gm), (match) => Number(match[1]))
    expect(offsets.map((offset) => Number.parseInt(pdf.slice(offset), 10))).toEqual([1, 2, 3, 4, 5, 6, 7])
    expect(pdf).toContain('(1,234.50 \\200) Tj')
  })
})

const pdfOf = (id: string) => {
  const invoice = invoices.find((candidate) => candidate.id === id)
  if (!invoice) throw new Error(`no ${id}`)
  return invoicePdf(invoice)
}

describe('the export form', () => {
  const form = { name: 'Q2 <b>', status: 'open', format: 'csv', priority: 'urgent', notes: '{{id}}', include_header: 'yes' }

  it('leads to a confirmation that echoes it, and to the file', async () => {
    const cookie = await signIn()
    expect(location(await post('/export', form, cookie))).toBe('/exports/EXP-1')
    const page = await (await get('/exports/EXP-1', cookie)).text()
    for (const text of [
      '>Q2 &lt;b&gt;<',
      '>Open invoices<',
      '>CSV<',
      '>Urgent<',
      '>{{id}}<',
      '"export-header">Yes<',
      '"export-count">9<',
    ]) {
      expect(page).toContain(text)
    }
    const file = await get('/exports/EXP-1/file', cookie)
    expect(file.headers.get('content-disposition')).toBe('attachment; filename="EXP-1.csv"')
    const lines = (await file.text()).trimEnd().split('\r\n')
    expect(lines).toHaveLength(10)
    expect(lines[1]).toBe('INV-1003,Hollow Oak Books,2025-01-21,219.95,open')
  })

  it('counts an unticked box as no', async () => {
    const cookie = await signIn()
    const { include_header: _, ...unticked } = form
    await post('/export', { ...unticked, format: 'json' }, cookie)
    expect(await (await get('/exports/EXP-1', cookie)).text()).toContain('"export-header">No<')
    expect(await (await get('/exports/EXP-1/file', cookie)).json()).toHaveLength(9)
  })

  it('names everything that is wrong', async () => {
    const response = await post('/export', { status: 'none', format: 'csv' }, await signIn())
    expect(response.status).toBe(422)
    expect(await response.text()).toMatch(/role="alert".*Give the export a name.*Choose which invoices/)
  })

  it('refuses what is too large', async () => {
    expect((await post('/export', { ...form, notes: 'x'.repeat(70_000) }, await signIn())).status).toBe(413)
  })

  it("is not shown to another session's user", async () => {
    await post('/export', form, await signIn())
    expect((await get('/exports/EXP-1', await signIn())).status).toBe(404)
  })
})

describe('the server', () => {
  it('serves its assets to everybody, and nothing else of its folder', async () => {
    expect((await get('/style.css')).headers.get('content-type')).toContain('text/css')
    for (const path of ['/layout.html', '/..%2Fserver.ts', '/../server.ts', '//style.css']) {
      expect((await get(path)).status).toBe(303)
    }
  })

  it('changes its pages when it is told to, and nothing else', async () => {
    const changed = await startExampleSite({ changePage: (html) => html.replaceAll(' id="sign-in"', ' id="other"') })
    const [page, style] = await Promise.all(['/sign-in', '/style.css'].map(async (path) => (await fetch(changed.origin + path)).text()))
    await changed.close()
    expect(page).toContain('<button type="submit" id="other" data-testid="sign-in">Sign in</button>')
    expect(style).toBe(await (await get('/style.css')).text())
  })

  it('answers HEAD without a body', async () => {
    const response = await fetch(`${site.origin}/sign-in`, { method: 'HEAD' })
    expect([response.status, await response.text()]).toEqual([200, ''])
  })

  it('names the port that is in use', async () => {
    const port = Number(new URL(site.origin).port)
    const error = await startExampleSite({ port }).catch((cause) => cause)
    expect(error).toMatchObject({ code: 'EADDRINUSE', port, message: expect.stringContaining(`127.0.0.1:${port}`) })
  })

  it('ends idle connections and answers under way when it closes, once', async () => {
    const closing = await startExampleSite({ delayMs: 60_000 })
    const socket = connect(Number(new URL(closing.origin).port), '127.0.0.1')
    const ended = new Promise((resolve) => socket.once('close', resolve))
    await new Promise<void>((resolve) => socket.once('connect', resolve))
    const cookie = cookieOf(
      await fetch(`${closing.origin}/sign-in`, { method: 'POST', redirect: 'manual', body: new URLSearchParams(EXAMPLE_USER) }),
    )
    const underWay = expect(fetch(`${closing.origin}/api/invoices`, { headers: { cookie } })).rejects.toThrow()
    await Promise.all([closing.close(), closing.close(), ended, underWay])
  })
})
