import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import type { AnyEvent } from '../../../src/events/index.js'
import { systemRandom } from '../../../src/runtime/index.js'
import { type SessionLease, SessionPool, type SessionPoolOptions, type SessionStreaming } from '../../../src/sessions/index.js'
import { MemoryStorage } from '../../../src/storage/index.js'
import type { Display } from '../../../src/streaming/display.js'
import type { SessionView } from '../../../src/streaming/session-view.js'
import { FakeBrowserDriver } from '../../../src/testing/fake-browser-driver.js'
import { FakeClock, sequentialIds } from '../../../src/testing/index.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

export const RUN_1 = { runnableType: 'workflow_run', runnableId: 'wr_1' }
export const RUN_2 = { runnableType: 'workflow_run', runnableId: 'wr_2' }

/** A pool on fakes; pools made with the `world` of another share its clock, storage, ids and folder. */
export async function startPool(options: Partial<SessionPoolOptions> = {}, world: World = createWorld()) {
  const driver = (options.driver as FakeBrowserDriver | undefined) ?? new FakeBrowserDriver({ clock: world.clock })
  const pool = new SessionPool({
    storage: world.storage,
    clock: world.clock,
    ids: world.ids,
    random: { bytes: (size) => systemRandom.bytes(size), fraction: () => 0.5 }, // no jitter
    baseDirectory: world.baseDirectory,
    organizationId: 'acme',
    ...options,
    driver,
  })
  const events: AnyEvent[] = []
  pool.onAny((event) => events.push(event))
  await pool.start()
  cleanups.push(() => pool.stop())
  return { ...world, world, driver, pool, events }
}

export interface World {
  readonly clock: FakeClock
  readonly storage: MemoryStorage
  readonly ids: ReturnType<typeof sequentialIds>
  readonly baseDirectory: string
  /** The folders of sessions that exist now. */
  directories(): string[]
}

export function createWorld(): World {
  const clock = new FakeClock()
  const baseDirectory = mkdtempSync(join(tmpdir(), 'runwright-test-'))
  cleanups.push(() => rmSync(baseDirectory, { recursive: true, force: true }))
  const directories = () => (existsSync(baseDirectory) ? readdirSync(baseDirectory) : [])
  return { clock, storage: new MemoryStorage({ clock }), ids: sequentialIds(), baseDirectory, directories }
}

export const types = (events: readonly { readonly type: string }[]) => events.map((event) => event.type)

export const row = async (storage: MemoryStorage, browserSessionId: string) => {
  const found = await storage.get('browser_sessions', browserSessionId)
  if (found === undefined) throw new Error(`no row ${browserSessionId}`)
  return found
}

/** The error of a call that must fail. */
export async function failure(work: Promise<unknown>): Promise<{ code: string; details: Record<string, unknown>; [key: string]: unknown }> {
  try {
    await work
  } catch (error) {
    return error as never
  }
  throw new Error('it did not fail')
}

export const reasonCode = (lease: SessionLease) => (lease.signal.reason as { code?: string } | undefined)?.code

/** A supervisor that starts displays of air. */
export class FakeStreaming implements SessionStreaming {
  readonly calls: string[] = []
  readonly views = new Map<string, SessionView>()
  readonly exits = new Map<string, Set<(reason: string) => void>>()
  failsWith: Error | undefined
  hangs = false
  #isStarted = false

  async start(): Promise<boolean> {
    const isFirst = !this.#isStarted
    this.#isStarted = true
    this.calls.push('start')
    return isFirst
  }

  async stop(): Promise<void> {
    this.#isStarted = false
    this.calls.push('stop')
  }

  async startDisplay(params: { browserSessionId: string; signal?: AbortSignal }): Promise<Display> {
    const { browserSessionId } = params
    this.calls.push(`startDisplay ${browserSessionId}`)
    if (this.failsWith !== undefined) throw this.failsWith
    if (this.hangs) return new Promise(() => {})
    const listeners = new Set<(reason: string) => void>()
    this.exits.set(browserSessionId, listeners)
    return {
      backend: 'xvnc',
      displayNumber: 7,
      width: 1280,
      height: 720,
      env: { DISPLAY: ':7', XAUTHORITY: '/x/xauth' },
      launchArgs: ['--window-size=1280,720'],
      rfbSocketPath: '/x/rfb',
      directory: '/x',
      pids: [1],
      onExit: (listener) => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
      stop: async () => {},
    }
  }

  async claimDisplay({ browserSessionId }: { organizationId: string; browserSessionId: string }): Promise<void> {
    this.calls.push(`claimDisplay ${browserSessionId}`)
  }

  async stopDisplay({ browserSessionId }: { browserSessionId: string }): Promise<void> {
    this.calls.push(`stopDisplay ${browserSessionId}`)
  }

  registerView(browserSessionId: string, view: SessionView): () => void {
    this.views.set(browserSessionId, view)
    return () => this.views.delete(browserSessionId)
  }

  async endViewers(browserSessionId: string): Promise<void> {
    this.calls.push(`endViewers ${browserSessionId}`)
  }
}
