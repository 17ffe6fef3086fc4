import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserDriver, MemoryStorage, SessionPool, type SessionPoolOptions, type Storage, WorkflowEngine } from 'runwright'
import { heldBlock } from './held-block.js'

/** The library put together as a service would, without a live view. */
export interface Host {
  readonly sessions: SessionPool
  readonly engine: WorkflowEngine
  readonly storage: Storage
  /** Ends everything. */
  stop(): Promise<void>
}

export interface HostParams {
  readonly driver: BrowserDriver
  /** @default in memory */
  readonly storage?: Storage
  readonly pool?: Partial<SessionPoolOptions>
}

export async function startHost({ driver, storage = new MemoryStorage(), pool = {} }: HostParams): Promise<Host> {
  const baseDirectory = await mkdtemp(join(tmpdir(), 'runwright-bench-'))
  const ends: (() => Promise<unknown>)[] = [() => rm(baseDirectory, { recursive: true, force: true, maxRetries: 5 })]
  const stop = async () => {
    for (const end of ends.splice(0).reverse()) await end()
  }
  try {
    const shared = { storage, organizationId: 'org_bench' }
    const sessions = new SessionPool({ ...shared, driver, headless: true, baseDirectory, ...pool })
    const engine = new WorkflowEngine({ ...shared, sessions, blocks: [heldBlock] })
    ends.push(() => sessions.stop())
    await sessions.start()
    ends.push(() => engine.stop())
    await engine.start()
    return { sessions, engine, storage, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
