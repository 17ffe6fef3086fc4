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
  const shared = { storage, organizationId: 'org_bench' }
  const sessions = new SessionPool({ ...shared, driver, headless: true, baseDirectory, ...pool })
  const engine = new WorkflowEngine({ ...shared, sessions, blocks: [heldBlock] })
  await sessions.start()
  await engine.start()
  const stop = async () => {
    await engine.stop()
    await sessions.stop()
    await rm(baseDirectory, { recursive: true, force: true, maxRetries: 5 })
  }
  return { sessions, engine, storage, stop }
}
