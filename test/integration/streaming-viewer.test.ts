import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { detect } from '../../scripts/setup/detect.mjs'
import { createHttpHandler, toNodeListener, viewerUrl } from '../../src/http/index.js'
import { MemoryStorage } from '../../src/storage/index.js'
import { StreamingSupervisor } from '../../src/streaming/index.js'
import { describeUnless, missing } from '../support/skips.js'
import { insertSession, ORGANIZATION } from '../unit/streaming/fixtures.js'

const executablePath = detect().chromium ?? ''
const quiet = ['--disable-gpu', '--disable-background-networking', ...(process.geteuid?.() === 0 ? ['--no-sandbox'] : [])]

/** Turns from teal to red at the first click or key. (A window that appears below the pointer gets a move of its own.) */
const PAGE = `data:text/html,${encodeURIComponent(`<body style="margin:0;height:100vh;background:teal"><script>
  window.inputs = 0
  for (const type of ['mousedown', 'keydown']) addEventListener(type, () => { window.inputs++; document.body.style.background = 'red' })
</script>`)}`

describeUnless(missing('tigervnc', 'chromium'), 'the viewer page in a real browser', () => {
  const storage = new MemoryStorage()
  const streaming = new StreamingSupervisor({ storage, organizationId: ORGANIZATION })
  const handler = createHttpHandler({ streaming })
  const server: Server = createServer(toNodeListener(handler))
  const complaints: string[] = []
  const requested: string[] = []
  let watched: Browser
  let watchedPage: Page
  let watching: Browser
  let context: BrowserContext

  beforeAll(async () => {
    await streaming.start()
    await insertSession(storage, 'bs_1')
    server.on('upgrade', (request, socket, head) => handler.upgrade(request, socket, head) || socket.destroy())
    server.prependListener('request', (request) => requested.push(request.url ?? ''))
    server.prependListener('upgrade', (request) => requested.push(request.url ?? ''))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const display = await streaming.startDisplay({ browserSessionId: 'bs_1', viewport: { width: 800, height: 600 } })
    const env = { ...(process.env as Record<string, string>), ...display.env }
    watched = await chromium.launch({ executablePath, headless: false, args: [...quiet, ...display.launchArgs], env })
    watchedPage = await watched.newPage({ viewport: null })
    await watchedPage.goto(PAGE)
    watching = await chromium.launch({ executablePath, args: quiet })
    context = await watching.newContext({ viewport: { width: 1000, height: 800 } })
  })
  afterAll(async () => {
    await watching?.close()
    await watched?.close()
    await streaming.stop()
    server.closeAllConnections()
    server.close()
  })

  const link = async (scope: 'view' | 'control') => {
    const { token } = await streaming.issueToken({ browserSessionId: 'bs_1', scope })
    return viewerUrl({ origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, browserSessionId: 'bs_1', token })
  }
  const visit = async (url: string) => {
    const page = await context.newPage()
    page.on('console', (message) => /Content.Security.Policy|Refused to/.test(message.text()) && complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(error.message))
    await page.goto(url)
    return page
  }
  const shows = (page: Page, state: string) => page.waitForSelector(`body[data-state=${state}]`)
  /** A place where the pointer, which is in the middle, does not cover the page. */
  const showsTeal = (page: Page) =>
    vi.waitUntil(
      () =>
        page.evaluate(`(() => {
          const canvas = document.querySelector('#screen canvas')
          const [red, green, blue] = canvas.getContext('2d').getImageData(canvas.width * 0.75, canvas.height * 0.75, 1, 1).data
          return red < 4 && Math.abs(green - 128) < 4 && Math.abs(blue - 128) < 4
        })()`),
      { timeout: 20_000, interval: 50 },
    )

  it('shows what the session’s browser shows, and comes back after a reload', async () => {
    const url = await link('view')
    const page = await visit(url)
    await shows(page, 'live')
    await showsTeal(page)
    expect(await page.textContent('#scope')).toBe('View only')
    expect(await page.textContent('#session')).toBe('bs_1')
    expect(page.url()).not.toContain('token')
    await page.reload()
    await shows(page, 'live')
    await showsTeal(page)
    const again = await visit(url)
    await shows(again, 'refused')
    expect(await again.textContent('#notice-title')).toBe('This link is not valid')
    await Promise.all([page.close(), again.close()])
  })

  it('lets nobody with a view token click or type, also when the page is tampered with; and somebody in control does', async () => {
    const tamper = async (page: Page) => {
      await shows(page, 'live')
      await showsTeal(page)
      const box = await page.locator('#screen canvas').boundingBox()
      if (!box) throw new Error('no canvas')
      await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2)
      await page.mouse.down()
      await page.mouse.up()
      await page.keyboard.type('abc')
    }
    const viewer = await context.newPage()
    // the page's own rule taken out: the one on the server is what counts
    await viewer.route('**/viewer/viewer.js', async (route) => {
      const response = await route.fetch()
      await route.fulfill({
        response,
        body: (await response.text()).replace(/rfb\.viewOnly = scopeOf.*$/m, 'rfb.viewOnly = false; rfb.focus()'),
      })
    })
    await viewer.goto(await link('view'))
    await tamper(viewer)
    await viewer.close()
    expect(await watchedPage.evaluate('window.inputs')).toBe(0)
    const controller = await visit(await link('control'))
    expect(await shows(controller, 'live')).toBeTruthy()
    expect(await controller.textContent('#scope')).toBe('In control')
    await tamper(controller)
    await watchedPage.waitForFunction('window.inputs >= 4')
    await watchedPage.goto(PAGE)
    await controller.close()
  })

  it('reconnects when the display comes back, and says when the session has ended', async () => {
    const page = await visit(await link('view'))
    await shows(page, 'live')
    await watched.close()
    await streaming.stopDisplay({ browserSessionId: 'bs_1' })
    await shows(page, 'connecting')
    expect(await page.textContent('#status')).toBe('Reconnecting')
    await streaming.startDisplay({ browserSessionId: 'bs_1' })
    await shows(page, 'live')
    await storage.commit([{ op: 'update', table: 'browser_sessions', id: 'bs_1', set: { status: 'completed' } }])
    await streaming.endViewers('bs_1')
    await shows(page, 'ended')
    expect(await page.textContent('#notice-title')).toBe('Session ended')
  })

  it('asks for a link where there is none', async () => {
    const page = await visit(`http://127.0.0.1:${(server.address() as AddressInfo).port}/runwright/sessions/bs_other/view`)
    await shows(page, 'refused')
    expect(await page.textContent('#notice-title')).toBe('A link is needed')
  })

  it('broke no rule of its own policy, and put no secret into an address', () => {
    expect(complaints).toEqual([])
    expect(requested.filter((url) => url.includes('token') || url.includes('ticket'))).toEqual([])
    expect(requested).toContain('/runwright/sessions/bs_1/stream')
  })
})
