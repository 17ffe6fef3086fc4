import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { MemoryStorage, SessionPool } from '../../src/index.js'
import { PlaywrightDriver } from '../../src/playwright/index.js'
import { collectBrowserProcesses, isProcessAlive } from '../../src/playwright/process-tree.js'
import type { SessionLease } from '../../src/sessions/index.js'
import { missingBrowser, startSite, within } from '../integration/playwright-kit.js'
import { describeUnless } from '../support/skips.js'

const RUN_1 = { runnableType: 'workflow_run', runnableId: 'wr_1' }
const RUN_2 = { runnableType: 'workflow_run', runnableId: 'wr_2' }

describeUnless(missingBrowser, 'a session between two holders', () => {
  let baseDirectory: string
  let storage: MemoryStorage
  let pool: SessionPool
  let site: Awaited<ReturnType<typeof startSite>>

  beforeEach(async () => {
    baseDirectory = mkdtempSync(join(tmpdir(), 'runwright-care-'))
    storage = new MemoryStorage()
    site = await startSite({
      '/': '<title>Home</title>',
      '/store': '<script>localStorage.setItem("k", "v"); document.cookie = "c=1; max-age=9999"</script>',
    })
    pool = new SessionPool({
      storage,
      driver: new PlaywrightDriver(),
      organizationId: 'acme',
      baseDirectory,
      sanitizeTimeoutMs: 2_000,
      closeTimeoutMs: 2_000,
      recycle: { context: { maxUses: 4 } },
    })
    await pool.start()
  })
  afterEach(async () => {
    await pool.stop()
    await site.stop()
    rmSync(baseDirectory, { recursive: true, force: true })
  })

  it('forgets what it is told to forget, and nothing else', async () => {
    const lease = await pool.createOccupied({ runnable: RUN_1 })
    const { browserSessionId } = lease
    const read = async (held: SessionLease) => {
      const page = await held.browser.newPage(within())
      await page.navigate(`${site.base}/`, within())
      return page.evaluate('[localStorage.getItem("k"), document.cookie]', undefined, within())
    }
    await (await lease.page()).navigate(`${site.base}/store`, within())
    await lease.release({ sanitize: { tabs: true } })
    const second = await pool.occupy({ browserSessionId, ...RUN_2 })
    expect(second.pages().map((page) => page.url())).toEqual(['about:blank'])
    expect(await read(second)).toEqual(['v', 'c=1'])
    await second.release({ sanitize: { cookies: true } })
    const third = await pool.occupy({ browserSessionId, ...RUN_1 })
    expect(await read(third)).toEqual(['v', ''])
    const page = await third.page()
    await page.evaluate('sessionStorage.setItem("s", "1")', undefined, within())
    await third.release({ sanitize: { storage: true } })
    const fourth = await pool.occupy({ browserSessionId, ...RUN_2 })
    const same = await fourth.page()
    expect(await same.evaluate('[localStorage.getItem("k"), sessionStorage.getItem("s")]', undefined, within())).toEqual([null, null])
    await fourth.release()
    const fifth = await pool.occupy({ browserSessionId, ...RUN_1 }) // with the context replaced: it has had four holders
    expect(fifth.pages().map((one) => [one.url(), one.pageId === same.pageId])).toEqual([['about:blank', false]])
    const bytes = (await fifth.browser.memory?.()) ?? 0
    console.info(`memory of one session: ${(bytes / 2 ** 20).toFixed(0)} MB`)
    expect(bytes).toBeGreaterThan(20 * 2 ** 20)
  })

  it('that cannot be sanitised is closed: a page that never answers taints it', async () => {
    const lease = await pool.createOccupied({ runnable: RUN_1, private: true })
    const processes = collectBrowserProcesses(lease.browser.process, '/none')
    const page = await lease.page()
    await page.navigate(`${site.base}/`, within())
    await page.evaluate('void setTimeout(() => { while (true); }, 0)', undefined, within())
    await lease.release({ sanitize: { storage: true } })
    expect(await storage.get('browser_sessions', lease.browserSessionId)).toMatchObject({ status: 'completed', closeReason: 'tainted' })
    expect([processes.filter(isProcessAlive), readdirSync(baseDirectory)]).toEqual([[], []])
  })
})
