import { lstat, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  currentProcessSpace,
  identifyProcess,
  isAlive,
  isSameSpace,
  type Logger,
  type ProcessIdentity,
  type ProcessSpace,
} from '../runtime/index.js'

const PREFIX = 'runwright-session-'
const OWNER_FILE = 'owner.json'

/** A session's own folder, 0700: temporary files, profile and downloads of its browser. */
export interface SessionDirectory {
  readonly path: string
  readonly temporary: string
  readonly profile: string
  readonly downloads: string
  /** Removes it with everything in it; harmless when it is gone. */
  remove(): Promise<void>
}

interface Owner extends ProcessIdentity {
  readonly machineId: string
  readonly hostId: string
  readonly browserSessionId: string
  readonly space: ProcessSpace
}

export async function createSessionDirectory(params: {
  readonly baseDirectory: string
  readonly machineId: string
  readonly hostId: string
  readonly browserSessionId: string
}): Promise<SessionDirectory> {
  const { baseDirectory, machineId, hostId, browserSessionId } = params
  await mkdir(baseDirectory, { recursive: true })
  const path = await mkdtemp(join(baseDirectory, PREFIX)) // made with mode 0700
  const directory: SessionDirectory = {
    path,
    temporary: join(path, 'tmp'),
    profile: join(path, 'profile'),
    downloads: join(path, 'downloads'),
    // a browser that has just died may still be writing: the retries wait for it
    remove: () => rm(path, { recursive: true, force: true, maxRetries: 3, retryDelay: 50 }),
  }
  try {
    const owner: Owner = { machineId, hostId, browserSessionId, space: currentProcessSpace(), ...identifyProcess(process.pid) }
    await writeFile(join(path, OWNER_FILE), JSON.stringify(owner), { mode: 0o600 })
    for (const folder of [directory.temporary, directory.profile, directory.downloads]) await mkdir(folder, { mode: 0o700 })
    return directory
  } catch (error) {
    await directory.remove()
    throw error
  }
}

/** Removes the folders that processes of this machine left which are provably dead. Returns their paths. */
export async function sweepDirectories(params: {
  readonly baseDirectory: string
  readonly machineId: string
  readonly logger: Logger
}): Promise<readonly string[]> {
  const { baseDirectory, machineId, logger } = params
  const removed: string[] = []
  const here = currentProcessSpace()
  for (const name of await readdir(baseDirectory).catch(() => [])) {
    if (!name.startsWith(PREFIX)) continue
    const path = join(baseDirectory, name)
    const found = await lstat(path).catch(() => null)
    const isForeign = found === null || !found.isDirectory() || (process.geteuid !== undefined && found.uid !== process.geteuid())
    if (isForeign) continue // somebody else's, whatever its name says
    const owner = await readOwner(path)
    if (owner === null || owner.machineId !== machineId || !isSameSpace(owner.space, here) || isAlive(owner)) continue
    try {
      await rm(path, { recursive: true, force: true })
      removed.push(path)
      logger.info('removed the folder of a dead host', { path, browserSessionId: owner.browserSessionId, pid: owner.pid })
    } catch (error) {
      logger.warn('cannot remove the folder of a dead host', { path, error })
    }
  }
  return removed
}

async function readOwner(path: string): Promise<Owner | null> {
  try {
    const owner = JSON.parse(await readFile(join(path, OWNER_FILE), 'utf8')) as Partial<Owner> | null
    return typeof owner?.pid === 'number' && typeof owner.machineId === 'string' && typeof owner.space === 'object'
      ? (owner as Owner)
      : null
  } catch {
    return null // being made, or not ours: nothing is proved, so it stays
  }
}
