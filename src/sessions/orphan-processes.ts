import { type Clock, currentProcessSpace, isSameSpace, type Logger } from '../runtime/index.js'
import type { BrowserDriver, ProcessIdentity } from './ports.js'
import {
  findOwnerlessFolders,
  findSessionFolders,
  isLeftBehind,
  readSessionFolder,
  type SessionFolder,
  sessionDirectoryAt,
} from './session-directory.js'

/** Browser processes that were ended because nobody owned them any more. */
export interface KilledProcesses {
  readonly browserSessionId: string
  readonly directory: string
  /** How many there were; of what this pool could not end when it was stopped, browsers. */
  readonly count: number
}

/** What is known of the session of a folder whose host is dead. */
export type SessionFate = 'live' | 'ended' | 'unknown'

/**
 * Whether a folder, with the processes that still run in it, is nobody's. The host of it must be provably dead. A browser that was made to
 * outlive its host is somebody's until its session has ended; of one whose session is not in this storage nothing is proved. Pure.
 */
export function isOrphaned(folder: SessionFolder, facts: { readonly isHostDead: boolean; readonly fate: SessionFate }): boolean {
  if (!facts.isHostDead) return false
  return folder.owner.isDetached !== true || facts.fate === 'ended'
}

/** How long a folder may be without an owner: making one takes milliseconds. */
const OWNERLESS_GRACE_MS = 30_000

/** The browsers and folders that processes of this machine have left. */
export class OrphanProcesses {
  readonly #settings: {
    readonly driver: BrowserDriver
    readonly baseDirectory: string
    readonly machineId: string
    readonly clock: Clock
    readonly logger: Logger
  }

  constructor(settings: {
    readonly driver: BrowserDriver
    readonly baseDirectory: string
    readonly machineId: string
    readonly clock: Clock
    readonly logger: Logger
  }) {
    this.#settings = settings
  }

  /** Every session's folder of this machine: those below the pool's own, and those that browsers say they run in. */
  async folders(): Promise<readonly SessionFolder[]> {
    const { driver, baseDirectory, machineId } = this.#settings
    const found = new Map((await findSessionFolders(baseDirectory)).map((folder) => [folder.path, folder]))
    const running = (await driver.running?.().catch(() => [])) ?? []
    for (const { directory } of running) {
      const folder = found.has(directory) ? null : await readSessionFolder(directory)
      if (folder !== null) found.set(directory, folder)
    }
    return [...found.values()].filter(({ owner }) => owner.machineId === machineId)
  }

  /** Removes folders whose making or removal was broken off, so that they tell of no owner; resolves to their paths. */
  async sweepOwnerless(onFailure: (path: string, error: unknown) => void): Promise<readonly string[]> {
    const { driver, baseDirectory, clock, logger } = this.#settings
    const found = await findOwnerlessFolders(baseDirectory, clock.now().getTime() - OWNERLESS_GRACE_MS)
    if (found.length === 0) return []
    // one in which a browser runs has lost its owner's note, and is no remnant
    const running = new Set(((await driver.running?.()) ?? []).map(({ directory }) => directory))
    const swept: string[] = []
    for (const directory of found) {
      if (running.has(directory)) continue
      try {
        await sessionDirectoryAt(directory).remove()
        swept.push(directory)
        logger.info('removed a folder of a session that nobody owned', { directory })
      } catch (error) {
        onFailure(directory, error)
      }
    }
    return swept
  }

  isHostDead(folder: SessionFolder): boolean {
    return isLeftBehind(folder, this.#settings.machineId)
  }

  /** Kills what runs in a folder, by process id and start time, and removes it; resolves to what was killed. */
  async end(folder: SessionFolder, process: ProcessIdentity | null = null): Promise<KilledProcesses | null> {
    const { driver, logger } = this.#settings
    const { path: directory, owner } = folder
    const { browserSessionId } = owner
    // where process ids mean something else, only what carries the mark of the folder is known to be its own
    const root = isSameSpace(owner.space, currentProcessSpace()) ? process : null
    const count = (await driver.endLeft?.({ directory, process: root })) ?? 0
    await sessionDirectoryAt(directory).remove()
    logger.info('removed what a dead host left of a session', { directory, browserSessionId, processes: count })
    return count === 0 ? null : { browserSessionId, directory, count }
  }
}
