import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { findChromium, PlaywrightDriver } from '../../src/playwright/index.js'
import type { BlockedRequest, NetworkPolicy, PageDownload } from '../../src/sessions/ports.js'
import { describeUnless } from '../support/skips.js'
import { missingBrowser, parsed, startSite, within } from './playwright-kit.js'

/** A Chromium of somebody else's, with its DevTools on a loopback port. */
async function startForeignBrowser(directory: string) {
  const args = ['--headless', '--no-sandbox', '--disable-gpu', '--remote-debugging-port=0', `--user-data-dir=${join(directory, 'profile')}`]
  const child = spawn(findChromium(), [...args, 'about:blank'], { stdio: ['ignore', 'ignore', 'pipe'] })
  const address = await new Promise<string>((resolve) => {
    child.stderr.on('data', (data) => {
      const found = /ws:\/\/\S+/.exec(String(data))
      if (found !== null) resolve(found[0])
    })
  })
  return { child, address, httpAddress: `http://${new URL(address).host}` }
}

const exited = (child: ChildProcess) =>
  child.exitCode !== null || child.signalCode !== null ? Promise.resolve() : new Promise((resolve) => child.once('exit', resolve))

describeUnless(missingBrowser, 'a browser that somebody else has started', () => {
  let site: Awaited<ReturnType<typeof startSite>>
  let foreign: Awaited<ReturnType<typeof startForeignBrowser>>
  let directory: string
  const driver = new PlaywrightDriver()
  const spec = (browserAddress: string) => ({ browserSessionId: 'bs_a', browserAddress, downloadsDirectory: join(directory, 'downloads') })
  const connect = async (address = foreign.httpAddress) => driver.connect(spec(address), within(10_000))

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'runwright-test-'))
    foreign = await startForeignBrowser(directory)
    site = await startSite({
      '/': '<title>Home</title><p>hello</p><a id="file" href="/file">file</a>',
      '/second': '<title>Second</title>',
      '/redirect': (_request, response) =>
        response.writeHead(302, { location: `${site.base.replace('127.0.0.1', 'localhost')}/second` }).end(),
      '/file': (_request, response) => {
        response.setHeader('content-disposition', 'attachment; filename="bill.csv"')
        response.end('a,b')
      },
      '/worker': '<title>Worker</title><script>new Worker("/worker.js").onmessage=e=>{document.title=e.data}</script>',
      '/worker.js': (_request, response) => {
        response.setHeader('content-type', 'text/javascript')
        response.end(
          `fetch('${site.base.replace('127.0.0.1', 'localhost')}/second',{mode:'no-cors'}).then(()=>postMessage('through'),()=>postMessage('refused'))`,
        )
      },
    })
  })
  afterAll(async () => {
    foreign.child.kill('SIGKILL')
    await exited(foreign.child)
    await site.stop()
    await rm(directory, { recursive: true, force: true, maxRetries: 5 })
  })

  const pagesOf = async () =>
    ((await (await fetch(`${foreign.httpAddress}/json/list`)).json()) as { type: string; url: string; id: string }[])
      .filter((one) => one.type === 'page')
      .map(({ id, url }) => ({ id, url }))

  it('is driven in its own windows, by either kind of address, and lives on without the pages that were opened', async () => {
    const before = await pagesOf()
    for (const address of [foreign.httpAddress, foreign.address]) {
      const browser = await connect(address)
      expect(browser).toMatchObject({ process: null, browserAddress: address })
      await browser.probe(within())
      expect(browser.pages()).toHaveLength(before.length)
      const mine = await browser.newPage(within())
      expect(await mine.navigate(`${site.base}/`, within())).toMatchObject({ title: 'Home', httpStatus: 200 })
      expect(await browser.activePage(within())).toBe(mine)
      expect(await pagesOf()).toHaveLength(before.length + 1)
      let lost = 0
      browser.onLost(() => {
        lost += 1
      })
      await (address === foreign.address ? browser.kill() : browser.close(within()))
      await browser.close(within())
      expect(lost).toBe(0)
      expect(await pagesOf()).toEqual(before)
      await expect(browser.probe(within(500))).rejects.toMatchObject({ code: 'PAGE_CLOSED' })
    }
    expect(foreign.child.exitCode).toBe(null)
  })

  it('gives its downloads', async () => {
    const browser = await connect()
    const page = await browser.newPage(within())
    await page.navigate(`${site.base}/`, within())
    const download = new Promise<PageDownload>((resolve) => browser.onDownload(resolve))
    await page.perform({ type: 'click', target: { css: '#file' }, button: 'left', clickCount: 1, ...parsed }, within())
    const path = await (await download).path(within())
    expect(path).toBe(join(directory, 'downloads', 'bill.csv'))
    expect(await readFile(path, 'utf8')).toBe('a,b')
    await browser.close(within())
  })

  it('has its requests judged, redirects, pop-ups, workers and the document that is open included, until that ends', async () => {
    const browser = await connect()
    const page = await browser.newPage(within())
    await page.navigate(`${site.base}/`, within())
    const elsewhere = site.base.replace('127.0.0.1', 'localhost')
    const blocked: BlockedRequest[] = []
    const policy: NetworkPolicy = {
      check: ({ host }) => (host === 'localhost' ? { rule: 'allowedDomains', reason: 'localhost is not allowed' } : null),
      onBlocked: (request) => blocked.push(request),
    }
    await browser.guardRequests?.(policy, within())
    const fetched = (url: string) =>
      page.evaluate(`fetch(${JSON.stringify(url)}, {mode:'no-cors'}).then(() => 'got', () => 'refused')`, undefined, within())
    expect(await fetched(`${elsewhere}/second`)).toBe('refused')
    expect(blocked).toMatchObject([
      { host: 'localhost', port: Number(new URL(site.base).port), rule: 'allowedDomains', url: `${elsewhere}/second` },
    ])
    expect(await fetched(`${site.base}/second`)).toBe('got')
    await expect(page.navigate(`${elsewhere}/second`, within())).rejects.toMatchObject({
      code: 'NAVIGATION_FAILED',
      details: { reason: 'net::ERR_BLOCKED_BY_CLIENT' },
    })
    await expect(page.navigate(`${site.base}/redirect`, within())).rejects.toMatchObject({ code: 'NAVIGATION_FAILED' })
    await page.navigate(`${site.base}/`, within())
    expect(await fetched(`${site.base}/redirect`)).toBe('refused')
    await page.navigate(`${site.base}/worker`, within())
    await page.waitFor({ loadState: 'networkidle' }, within())
    await expect.poll(() => page.title(within()), { timeout: 5_000 }).toBe('refused')
    await page.evaluate(`void open(${JSON.stringify(`${elsewhere}/second`)})`, undefined, within())
    await expect.poll(() => blocked.length, { timeout: 5_000 }).toBe(6)
    await browser.guardRequests?.(null, within())
    expect(await fetched(`${elsewhere}/second`)).toBe('got')
    expect(blocked).toHaveLength(6)
    await browser.close(within())
  })

  it('says so when nothing answers, or what answers is no browser, or it takes too long', async () => {
    const error = (address: string, timeoutMs = 2_000, signal?: AbortSignal) =>
      driver.connect(spec(address), within(timeoutMs, signal)).then(
        () => undefined,
        (reason: unknown) => reason,
      )
    expect(await error('http://127.0.0.1:9')).toMatchObject({ category: 'unreachable', code: 'BROWSER_LAUNCH_FAILED', retryable: true })
    expect(await error(site.base)).toMatchObject({ category: 'unreachable' })
    expect(await error('ws://127.0.0.1:9/devtools/browser/secret-key')).toMatchObject({
      category: 'unreachable',
      message: expect.not.stringContaining('secret-key'),
    })
    const silent = createServer(() => {})
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as { port: number }
    expect(await error(`http://127.0.0.1:${port}`, 300)).toMatchObject({ category: 'timeout' })
    const controller = new AbortController()
    setTimeout(() => controller.abort(new Error('stop')), 50)
    expect(await error(`http://127.0.0.1:${port}`, 10_000, controller.signal)).toMatchObject({ category: 'aborted' })
    silent.close()
  })

  it('is lost when it ends', async () => {
    const browser = await connect()
    const lost = new Promise<string>((resolve) => browser.onLost(resolve))
    foreign.child.kill('SIGKILL')
    expect(await lost).toMatch(/ended/)
    await browser.close(within(1_000))
  })
})
