import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { MemoryStorage, SessionPool } from '../../src/index.js'
import { PlaywrightDriver } from '../../src/playwright/index.js'
import { LeaseRecord } from '../../src/sessions/lease-record.js'
import { SessionLease } from '../../src/sessions/session-lease.js'
import { missingBrowser, startSite, within } from '../integration/playwright-kit.js'
import { descendants, processesNaming } from '../support/leftovers.js'
import { heapAfterCollection, reachable } from '../support/memory.js'
import { describeUnless } from '../support/skips.js'

/** The long run is 10 waves of 20. */
const WAVES = Number(process.env.RUNWRIGHT_LEAK_WAVES ?? 2)
const PER_WAVE = Number(process.env.RUNWRIGHT_LEAK_SESSIONS ?? 4)
const AT_ONCE = 4
const SIGNALS = ['exit', 'SIGINT', 'SIGTERM', 'SIGHUP', 'beforeExit', 'uncaughtException', 'unhandledRejection']
const KB = 2 ** 10

/** What this process holds of the machine. */
async function holdings(baseDirectory: string) {
  const resources = process.getActiveResourcesInfo()
  return {
    files: readdirSync('/proc/self/fd').length,
    children: (await descendants(process.pid)).length,
    browsers: (await processesNaming(baseDirectory)).length,
    folders: readdirSync(baseDirectory),
    listeners: SIGNALS.map((signal) => process.listenerCount(signal)),
    processes: resources.filter((type) => type === 'ProcessWrap').length,
    pipes: resources.filter((type) => type === 'PipeWrap').length,
  }
}

describeUnless(
  missingBrowser ?? (process.platform === 'linux' ? undefined : 'what is held is read from /proc'),
  'waves of real sessions',
  () => {
    it(
      'leave no process, folder, file, listener or memory',
      async () => {
        const baseDirectory = mkdtempSync(join(tmpdir(), 'rw-leaks-'))
        const site = await startSite({ '/': '<title>Home</title><script>localStorage.setItem("k", "v")</script>' })
        const storage = new MemoryStorage()
        const pool = new SessionPool({
          storage,
          driver: new PlaywrightDriver(),
          organizationId: 'acme',
          baseDirectory,
          maxSessions: AT_ONCE,
        })
        await pool.start()
        const visit = async (runnableId: string, isKilled: boolean) => {
          const lease = await pool.acquire({ runnableType: 'test', runnableId, timeoutMs: 60_000, spec: { idleTimeoutMinutes: 30 } })
          const page = await lease.page()
          await page.navigate(`${site.base}/`, within(20_000, lease.signal))
          if (isKilled) process.kill(lease.browser.process?.pid ?? 0, 'SIGKILL')
          else await lease.release({ outcome: 'tainted' })
        }
        const wave = async (number: number) => {
          await Promise.all(Array.from({ length: PER_WAVE }, (_, one) => visit(`t_${number}_${one}`, one % 4 === 3)))
          const isBusy = () => pool.stats().running + pool.stats().ending > 0 || readdirSync(baseDirectory).length > 0
          const deadline = performance.now() + 15_000
          while (isBusy() && performance.now() < deadline) await sleep(20)
          expect(pool.stats()).toMatchObject({ running: 0, held: 0, starting: 0, ending: 0, waiting: 0 })
        }
        try {
          await wave(0) // what the driver loads once
          const before = await holdings(baseDirectory)
          const heapBefore = heapAfterCollection()
          const began = performance.now()
          for (let number = 1; number <= WAVES; number += 1) await wave(number)
          await settled(async () => (await holdings(baseDirectory)).files <= before.files)
          expect(await holdings(baseDirectory)).toEqual(before)
          expect([before.browsers, before.folders]).toEqual([0, []])
          expect([reachable(LeaseRecord), reachable(SessionLease)]).toEqual([0, 0])
          const grownBy = (heapAfterCollection() - heapBefore) / (WAVES * PER_WAVE)
          console.info(
            `${WAVES} waves of ${PER_WAVE} in ${((performance.now() - began) / 1_000).toFixed(1)} s; ${(grownBy / KB).toFixed(0)} kB of heap a session stay, its row and events included`,
          )
          expect(grownBy).toBeLessThan(2_000 * KB)
        } finally {
          await pool.stop()
          await site.stop()
          rmSync(baseDirectory, { recursive: true, force: true })
        }
      },
      60_000 + WAVES * PER_WAVE * 10_000,
    )
  },
)

/** Sockets of closed connections have a moment to go. */
async function settled(isSo: () => Promise<boolean>): Promise<void> {
  for (let look = 0; look < 100 && !(await isSo()); look += 1) await sleep(50)
}
