import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { findChromium, PlaywrightDriver } from '../../src/playwright/index.js'
import { collectBrowserProcesses } from '../../src/playwright/process-tree.js'
import { createSpec, type Launched, launchBrowser, missingBrowser, startSite, within } from '../integration/playwright-kit.js'
import { describeUnless } from '../support/skips.js'

const native = async (launched: Launched) => (await launched.browser.activePage(within())).native() as Page

describeUnless(missingBrowser, 'how PlaywrightDriver launches', () => {
  let site: Awaited<ReturnType<typeof startSite>>
  const requests: IncomingMessage[] = []
  beforeAll(async () => {
    site = await startSite({
      '/': (request, response) => {
        requests.push(request)
        response.setHeader('content-type', 'text/html')
        response.end('<title>Home</title><script>console.log("hello", 1); setTimeout(() => { throw new Error("oh no") })</script>')
      },
    })
  })
  afterAll(() => site.stop())

  const opened: Launched[] = []
  const launch = async (...params: Parameters<typeof launchBrowser>) => {
    const launched = await launchBrowser(...params)
    opened.push(launched)
    return launched
  }
  afterAll(async () => {
    for (const launched of opened) await launched.end()
  })

  it('takes a program for each type of browser, and gives pages the language, the time zone, the headers and the size that a session asks for', async () => {
    const launched = await launch(
      { locale: 'en-GB', timezoneId: 'UTC', executablePath: { msedge: findChromium() } },
      {
        browserType: 'msedge',
        locale: 'de-DE',
        timezoneId: 'Asia/Tokyo',
        extraHttpHeaders: { 'x-tenant': 'acme' },
        viewport: { width: 640, height: 480 },
      },
    )
    const page = await native(launched)
    await page.goto(`${site.base}/`)
    expect(requests.at(-1)?.headers).toMatchObject({ 'x-tenant': 'acme', 'accept-language': expect.stringMatching(/^de-DE/) })
    const seen = await page.evaluate(
      '[navigator.language, Intl.DateTimeFormat().resolvedOptions().timeZone, new Intl.NumberFormat().format(1234.5), innerWidth, innerHeight]',
    )
    expect(seen).toEqual(['de-DE', 'Asia/Tokyo', '1.234,5', 640, 480])
  })

  it('goes through a proxy that wants a password, for loopback too', async () => {
    const proxied: (string | undefined)[] = []
    const proxy = createServer((request, response) => {
      const credentials = request.headers['proxy-authorization']
      if (credentials !== `Basic ${Buffer.from('ann:s3cret').toString('base64')}`) {
        response.writeHead(407, { 'proxy-authenticate': 'Basic realm="p"' }).end()
        return
      }
      proxied.push(request.url)
      const { port } = new URL(request.url ?? '')
      const upstream = connect(Number(port), '127.0.0.1', () => upstream.end(`GET / HTTP/1.0\r\nHost: x\r\n\r\n`))
      const chunks: Buffer[] = []
      upstream.on('data', (chunk: Buffer) => chunks.push(chunk))
      upstream.on('end', () => response.end(Buffer.concat(chunks).toString().split('\r\n\r\n')[1]))
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    try {
      const server = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
      const page = await native(await launch({}, { proxy: { server, username: 'ann', password: 's3cret' } }))
      await page.setContent(`<iframe src="${site.base}/"></iframe>`)
      await expect.poll(() => proxied).toContain(`${site.base}/`)
      const commandLine = await readFile(`/proc/${opened.at(-1)?.browser.process?.pid}/cmdline`, 'latin1')
      expect(commandLine).not.toContain('s3cret')
    } finally {
      proxy.closeAllConnections()
      await new Promise((resolve) => proxy.close(resolve))
    }
  })

  it('loads the extensions that a session asks for by name, and no path of a caller', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'runwright-extension-'))
    try {
      const manifest = { manifest_version: 3, name: 'mark', version: '1', content_scripts: [{ matches: ['<all_urls>'], js: ['mark.js'] }] }
      await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest))
      await writeFile(join(folder, 'mark.js'), 'document.documentElement.dataset.marked = "yes"')
      const launched = await launch({ extensions: { mark: folder } }, { extensions: ['mark'] })
      const page = await native(launched)
      await page.goto(`${site.base}/`)
      await expect.poll(() => page.evaluate('document.documentElement.dataset.marked')).toBe('yes')
      const without = await native(await launch({ extensions: { mark: folder } }))
      await without.goto(`${site.base}/`)
      expect(await without.evaluate('document.documentElement.dataset.marked ?? null')).toBeNull()
      const spec = await createSpec({ extensions: [folder] })
      const refused = new PlaywrightDriver({ extensions: { mark: folder } }).launch(spec, within(10_000))
      await expect(refused).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', details: { path: 'extensions', received: folder } })
      await rm(spec.directory, { recursive: true })
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('leaves a profile alone that a live process has, and takes one over whose lock came with a copy', async () => {
    const held = await launch()
    const spec = await createSpec()
    await mkdir(join(spec.directory, 'profile'))
    const lock = join(spec.directory, 'profile', 'SingletonLock')
    await symlink(`${hostname()}-${held.browser.process?.pid}`, lock)
    const driver = new PlaywrightDriver()
    for (const ownsDirectory of [false, true]) {
      const refused = driver.launch({ ...spec, ownsDirectory }, within(10_000))
      await expect(refused).rejects.toMatchObject({ code: 'PROFILE_LOCKED', category: 'profile_locked' })
    }
    await held.browser.probe(within())
    await rm(lock)
    await symlink('elsewhere-1', lock)
    await expect(driver.launch(spec, within(10_000))).rejects.toMatchObject({
      code: 'PROFILE_LOCKED',
      details: { holder: 'host elsewhere' },
    })
    const browser = await driver.launch({ ...spec, ownsDirectory: true }, within(10_000))
    await browser.probe(within())
    await browser.close(within())
    expect(browser.isClosedCleanly).toBe(true)
    await rm(spec.directory, { recursive: true })
  })

  it('records a trace, the network and the console, and says why there is no video', async () => {
    const launched = await launch({}, { record: ['trace', 'har', 'console_log', 'video'] })
    const page = await native(launched)
    await page.goto(`${site.base}/`)
    await page.waitForTimeout(200)
    const file = async (kind: 'trace' | 'har' | 'console_log') => {
      const [recorded] = await launched.browser.finishRecording(kind, within(10_000))
      if (recorded === undefined) throw new Error(`no ${kind}`)
      expect(recorded.path.startsWith(launched.spec.directory)).toBe(true)
      return readFile(recorded.path)
    }
    const har = JSON.parse((await file('har')).toString()) as { log: { entries: { request: { url: string } }[] } }
    expect(har.log.entries.map(({ request }) => request.url)).toContain(`${site.base}/`)
    const trace = await file('trace')
    expect(trace.subarray(0, 2).toString()).toBe('PK')
    expect(trace.byteLength).toBeGreaterThan(1_000)
    const lines = (await file('console_log')).toString().trim().split('\n')
    const entries = lines.map((line) => JSON.parse(line) as { type: string; text: string; page: string })
    expect(entries).toContainEqual(expect.objectContaining({ type: 'log', text: 'hello 1', page: `${site.base}/` }))
    expect(entries).toContainEqual(expect.objectContaining({ type: 'uncaught', text: expect.stringContaining('oh no') }))
    const video = await launched.browser.finishRecording('video', within(10_000)).catch((error: unknown) => error)
    if (Array.isArray(video)) {
      expect((await readFile((video[0] as { path: string }).path)).byteLength).toBeGreaterThan(1_000)
    } else {
      expect(video).toMatchObject({ code: 'RECORDING_FAILED', message: expect.stringContaining('ffmpeg') })
    }
  })

  it('does not take a killed browser for one that has closed', async () => {
    const { browser, spec } = await launch()
    process.kill(browser.process?.pid ?? 0, 'SIGSTOP')
    await browser.close(within(300))
    expect(browser.isClosedCleanly).toBe(false)
    expect(collectBrowserProcesses(browser.process, spec.directory)).toEqual([])
  })
})
