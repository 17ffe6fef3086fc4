import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PlaywrightDriver } from '../../src/playwright/index.js'
import { collectBrowserProcesses } from '../../src/playwright/process-tree.js'
import { describeUnless } from '../support/skips.js'
import { createSpec, type Launched, launchBrowser, missingBrowser, parsed, startSite, within } from './playwright-kit.js'

/** Never 0, which would be our own process group. */
function pidOf(browser: Launched['browser']): number {
  if (browser.process === null) throw new Error('the browser has no known process')
  return browser.process.pid
}

describeUnless(missingBrowser, 'a browser of PlaywrightDriver', () => {
  let site: Awaited<ReturnType<typeof startSite>>
  beforeAll(async () => {
    site = await startSite({
      '/': '<title>Home</title><a id="pop" target="_blank" href="/slow">open</a><a id="file" href="/file">file</a><button onclick="alert(1);this.textContent=confirm(2)">ask</button>',
      '/slow': (_request, response) => {
        setTimeout(() => {
          response.setHeader('content-type', 'text/html')
          response.end('<title>Slow</title>slow')
        }, 600)
      },
      '/file': (_request, response) => {
        response.setHeader('content-disposition', 'attachment; filename="../re:port.csv"')
        response.end('a,b\n1,2\n')
      },
      '/broken': (_request, response) => {
        response.setHeader('content-disposition', 'attachment; filename="broken.bin"')
        response.setHeader('content-length', '1000000')
        response.write('x'.repeat(1000))
        setTimeout(() => response.destroy(), 200)
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

  it('opens, knows its process, keeps to its folder and leaves nothing when it is closed', async () => {
    const { browser, spec } = await launch()
    await browser.probe(within())
    expect(browser.process?.startTime).toMatch(/^\d+$/)
    expect(browser.pages()).toHaveLength(1)
    const processes = collectBrowserProcesses(browser.process, spec.directory)
    expect(processes.length).toBeGreaterThan(3)
    expect((await readdir(spec.directory)).sort()).toEqual(['artifacts', 'crashes', 'downloads', 'profile', 'tmp'])
    for (const { pid } of processes) {
      const args = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '')
      expect(args).not.toContain('remote-debugging-port')
    }
    const startedAtMs = performance.now()
    await browser.close(within())
    console.log(`close: ${Math.round(performance.now() - startedAtMs)} ms`)
    expect(collectBrowserProcesses(browser.process, spec.directory)).toEqual([])
    await expect(browser.probe(within(500))).rejects.toMatchObject({ code: 'PAGE_CLOSED' })
    await expect(browser.newPage(within(500))).rejects.toMatchObject({ code: 'PAGE_CLOSED' })
  })

  it('hides the host environment from the browser', async () => {
    process.env.RUNWRIGHT_TEST_SECRET = 'do not leak'
    const { browser } = await launch()
    delete process.env.RUNWRIGHT_TEST_SECRET
    const environment = await readFile(`/proc/${browser.process?.pid}/environ`, 'latin1')
    expect(environment).not.toContain('do not leak')
    expect(environment).toContain('TMPDIR=')
  })

  it('listens on no TCP port', async () => {
    const { browser, spec } = await launch()
    const inodes = new Set<string>()
    for (const { pid } of collectBrowserProcesses(browser.process, spec.directory)) {
      const { readlink } = await import('node:fs/promises')
      for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
        const link = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')
        const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1]
        if (inode !== undefined) inodes.add(inode)
      }
    }
    const tables = (await readFile('/proc/net/tcp', 'utf8')) + (await readFile('/proc/net/tcp6', 'utf8').catch(() => ''))
    const listening = tables
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter((columns) => columns[3] === '0A' && inodes.has(columns[9] ?? ''))
    expect(listening).toEqual([])
  })

  it('kills its whole tree', async () => {
    const { browser, spec } = await launch()
    let lost = 0
    browser.onLost(() => {
      lost += 1
    })
    const before = collectBrowserProcesses(browser.process, spec.directory).map(({ pid }) => pid)
    const startedAtMs = performance.now()
    await browser.kill()
    console.log(`kill: ${Math.round(performance.now() - startedAtMs)} ms, ${before.length} processes`)
    expect(collectBrowserProcesses(browser.process, spec.directory)).toEqual([])
    expect(lost).toBe(0)
  })

  it('kills a stopped browser at the deadline of close', async () => {
    const { browser, spec } = await launch()
    process.kill(pidOf(browser), 'SIGSTOP')
    await expect(browser.probe(within(200))).rejects.toMatchObject({ code: 'ACTION_TIMEOUT' })
    await browser.close(within(300))
    expect(collectBrowserProcesses(browser.process, spec.directory)).toEqual([])
  })

  it('says so within a moment when its process is killed', async () => {
    const figures: number[] = []
    for (let round = 0; round < 5; round += 1) {
      const { browser } = await launch()
      const pid = pidOf(browser)
      const reasons: string[] = []
      const lost = new Promise<number>((resolve) => {
        browser.onLost((reason) => {
          reasons.push(reason)
          resolve(performance.now())
        })
      })
      const killedAtMs = performance.now()
      process.kill(pid, 'SIGKILL')
      figures.push((await lost) - killedAtMs)
      await browser.kill()
      expect(reasons).toHaveLength(1)
    }
    const sorted = figures.sort((a, b) => a - b)
    console.log(`SIGKILL to onLost, ms: ${sorted.map(Math.round).join(' ')}`)
    expect(sorted[2]).toBeLessThan(600)
  })

  it('follows tabs that pages open, also slow ones, and falls back when they close', async () => {
    const { browser } = await launch()
    const first = await browser.activePage(within())
    await first.navigate(`${site.base}/`, within())
    await first.perform({ type: 'click', target: { css: '#pop' }, button: 'left', clickCount: 1, ...parsed }, within())
    const second = await browser.activePage(within())
    expect(second.url()).toBe(`${site.base}/slow`)
    expect(browser.pages().map((page) => page.pageId)).toEqual(['page-1', 'page-2'])
    const third = await browser.newPage(within())
    expect(await browser.activePage(within())).toBe(third)
    await first.bringToFront(within())
    expect(await browser.activePage(within())).toBe(first)
    await first.close(within())
    expect(await browser.activePage(within())).toBe(third)
    await third.close(within())
    expect(await browser.activePage(within())).toBe(second)
    await second.close(within())
    const fresh = await browser.activePage(within())
    expect(fresh.url()).toBe('about:blank')
  })

  it('saves downloads under their own names and reports failed ones', async () => {
    const { browser, spec } = await launch()
    const page = await browser.activePage(within())
    await page.navigate(`${site.base}/`, within())
    const next = () => new Promise<import('../../src/sessions/ports.js').PageDownload>((resolve) => browser.onDownload(resolve))
    const click = { type: 'click', target: { css: '#file' }, button: 'left', clickCount: 1, ...parsed } as const
    const first = next()
    await page.perform(click, within())
    const path = await (await first).path(within())
    expect(path).toBe(
      join(spec.downloadsDirectory, '_re_port.csv').replace('_re_port', (await first).suggestedFilename.replace('.csv', '')),
    )
    expect(await readFile(path, 'utf8')).toBe('a,b\n1,2\n')
    const second = next()
    await page.perform(click, within())
    expect(await (await second).path(within())).toMatch(/ \(1\)\.csv$/)
    const broken = next()
    const result = await page.navigate(`${site.base}/broken`, within())
    expect(result).toMatchObject({ url: `${site.base}/`, httpStatus: null })
    await expect((await broken).path(within(10_000))).rejects.toMatchObject({ code: 'DOWNLOAD_FAILED' })
    expect((await readdir(spec.downloadsDirectory)).length).toBe(2)
  })

  it('dismisses dialogs, so that nothing hangs', async () => {
    const { browser } = await launch()
    const page = await browser.activePage(within())
    await page.navigate(`${site.base}/`, within())
    await page.perform({ type: 'click', target: { role: 'button', name: 'ask' }, button: 'left', clickCount: 1, ...parsed }, within())
    expect(await page.textOf({ css: 'button' }, within())).toBe('false')
  })

  describe('a launch that fails', () => {
    const directories: string[] = []
    const spec = async (overrides: Parameters<typeof createSpec>[0] = {}) => {
      const made = await createSpec(overrides)
      directories.push(made.directory)
      return made
    }
    afterAll(async () => {
      for (const directory of directories) await rm(directory, { recursive: true, force: true, maxRetries: 5 })
    })
    const fail = async (driver: PlaywrightDriver, made: Awaited<ReturnType<typeof createSpec>>, options = within(20_000)) => {
      const error = await driver.launch(made, options).then(
        () => undefined,
        (reason: unknown) => reason as { category: string; code: string; message: string },
      )
      expect(collectBrowserProcesses(null, made.directory)).toEqual([])
      return error
    }

    it('names the category: missing, crashed, display, profile locked, time-out, aborted', async () => {
      expect(await fail(new PlaywrightDriver({ executablePath: '/no/such' }), await spec())).toMatchObject({
        category: 'executable_missing',
        code: 'BROWSER_NOT_FOUND',
      })
      const dead = await spec()
      const program = join(dead.directory, 'browser')
      await writeFile(program, '#!/bin/sh\nexit 1\n', { mode: 0o755 })
      expect(await fail(new PlaywrightDriver({ executablePath: program }), dead)).toMatchObject({ category: 'crashed' })
      const noDisplay = await fail(new PlaywrightDriver(), await spec({ headless: false, env: { DISPLAY: ':7777' } }))
      expect(noDisplay).toMatchObject({ category: 'display', code: 'BROWSER_LAUNCH_FAILED' })
      const locked = await spec()
      await mkdir(join(locked.directory, 'profile'), { recursive: true })
      await symlink(`${hostname()}-${process.pid}`, join(locked.directory, 'profile', 'SingletonLock'))
      expect(await fail(new PlaywrightDriver(), locked)).toMatchObject({ category: 'profile_locked' })
      expect(await fail(new PlaywrightDriver(), await spec(), within(60))).toMatchObject({ category: 'timeout', retryable: true })
      for (const delayMs of [0, 20, 80, 150]) {
        const controller = new AbortController()
        setTimeout(() => controller.abort(new Error('stop')), delayMs)
        const startedAtMs = performance.now()
        const error = await fail(new PlaywrightDriver(), await spec(), within(20_000, controller.signal))
        expect(error).toMatchObject({ category: 'aborted' })
        console.log(`launch aborted after ${delayMs} ms: settled ${Math.round(performance.now() - startedAtMs - delayMs)} ms later`)
      }
    })

    it('kills a program that never speaks', async () => {
      const silent = await spec()
      const program = join(silent.directory, 'browser')
      await writeFile(program, '#!/bin/sh\nsleep 100 &\nsleep 100\n', { mode: 0o755 })
      expect(await fail(new PlaywrightDriver({ executablePath: program }), silent, within(300))).toMatchObject({ category: 'timeout' })
    })
  })
})
