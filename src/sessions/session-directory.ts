import type { Stats } from 'node:fs'
import { lstat, mkdir, mkdtemp, readdir, readFile, rename, rm, rmdir, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { currentProcessSpace, identifyProcess, isAlive, isSameSpace, type ProcessIdentity, type ProcessSpace } from '../runtime/index.js'

const PREFIX = 'runwright-session-'
const OWNER_FILE = 'owner.json'
const DRAFT_FILE = `${OWNER_FILE}.new`
/** As `mkdtemp` names them. */
const NAME = new RegExp(`^${PREFIX}[A-Za-z0-9]{6}$`)
/** A browser that has just died may still be writing: the retries wait for it. */
const REMOVAL = { recursive: true, force: true, maxRetries: 3, retryDelay: 50 } as const

/** A session's own folder, 0700: temporary files, profile and downloads of its browser. */
export interface SessionDirectory {
  readonly path: string
  readonly temporary: string
  readonly profile: string
  readonly downloads: string
  /** Removes it with everything in it; harmless when it is gone. */
  remove(): Promise<void>
}

/** Who made a session's folder: the process is the host's. */
export interface FolderOwner extends ProcessIdentity {
  readonly machineId: string
  readonly hostId: string
  readonly browserSessionId: string
  readonly space: ProcessSpace
  /** Whether its browser may outlive the host; left out: no. */
  readonly isDetached?: boolean
}

/** A session's folder that a process of this user has made. */
export interface SessionFolder {
  readonly path: string
  readonly owner: FolderOwner
}

export async function createSessionDirectory(params: {
  readonly baseDirectory: string
  readonly machineId: string
  readonly hostId: string
  readonly browserSessionId: string
  /** Whether its browser outlives this process. @default false */
  readonly isDetached?: boolean
}): Promise<SessionDirectory> {
  await mkdir(params.baseDirectory, { recursive: true })
  const directory = sessionDirectoryAt(await mkdtemp(join(params.baseDirectory, PREFIX))) // made with mode 0700
  try {
    await ownSessionDirectory(directory.path, params)
    for (const folder of [directory.temporary, directory.profile, directory.downloads]) await mkdir(folder, { mode: 0o700 })
    return directory
  } catch (error) {
    await directory.remove()
    throw error
  }
}

/** The folder of a session that exists already, or is about to. */
export function sessionDirectoryAt(path: string): SessionDirectory {
  return {
    path,
    temporary: join(path, 'tmp'),
    profile: join(path, 'profile'),
    downloads: join(path, 'downloads'),
    remove: () => removeFolder(path),
  }
}

/** What says whose it is goes last: where this is broken off, the next start still knows what to do about the rest. */
async function removeFolder(path: string): Promise<void> {
  const names = await readdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const removals = names.filter((name) => name !== OWNER_FILE).map((name) => rm(join(path, name), REMOVAL))
  const failed = (await Promise.allSettled(removals)).find((removal) => removal.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  try {
    await unlink(join(path, OWNER_FILE))
    await rmdir(path)
  } catch {
    await rm(path, REMOVAL) // it was gone, or somebody has written something meanwhile
  }
}

/** Writes down, in one step, that a folder is this process's. */
export async function ownSessionDirectory(
  path: string,
  params: Pick<FolderOwner, 'machineId' | 'hostId' | 'browserSessionId' | 'isDetached'>,
): Promise<void> {
  const { machineId, hostId, browserSessionId, isDetached = false } = params
  const owner: FolderOwner = {
    machineId,
    hostId,
    browserSessionId,
    ...(isDetached ? { isDetached } : {}),
    space: currentProcessSpace(),
    ...identifyProcess(process.pid),
  }
  const draft = join(path, DRAFT_FILE)
  await writeFile(draft, JSON.stringify(owner), { mode: 0o600 })
  await rename(draft, join(path, OWNER_FILE))
}

/** The folders of sessions below a folder that say whose they are. */
export async function findSessionFolders(baseDirectory: string): Promise<readonly SessionFolder[]> {
  const names = await readdir(baseDirectory).catch(() => []) // nothing was ever made there
  const paths = names.filter((name) => name.startsWith(PREFIX)).map((name) => join(baseDirectory, name))
  return (await Promise.all(paths.map(readSessionFolder))).filter((folder) => folder !== null)
}

/**
 * Folders below one that were made for sessions, by this user, and say of nobody that he made them: their making or their removal was
 * broken off. Only those in which nothing has changed since `untilMs`: what is younger may be being made right now.
 */
export async function findOwnerlessFolders(baseDirectory: string, untilMs: number): Promise<readonly string[]> {
  const names = await readdir(baseDirectory).catch(() => []) // nothing was ever made there
  const paths = names.filter((name) => NAME.test(name)).map((name) => join(baseDirectory, name))
  const found = await Promise.all(paths.map(async (path) => ((await isOwnerless(path, untilMs)) ? path : null)))
  return found.filter((path) => path !== null)
}

async function isOwnerless(path: string, untilMs: number): Promise<boolean> {
  const found = await ownFolder(path)
  if (found === null || found.mtimeMs > untilMs) return false
  const owner = await lstat(join(path, OWNER_FILE)).catch((error: NodeJS.ErrnoException) => error.code)
  return owner === 'ENOENT'
}

/** Null: no folder, or another user's. */
async function ownFolder(path: string): Promise<Stats | null> {
  const found = await lstat(path).catch(() => null)
  return found === null || !found.isDirectory() || (process.geteuid !== undefined && found.uid !== process.geteuid()) ? null : found
}

/** Null: somebody else's, whatever its name says, or being made. */
export async function readSessionFolder(path: string): Promise<SessionFolder | null> {
  const owner = (await ownFolder(path)) === null ? null : await readOwner(path)
  return owner === null ? null : { path, owner }
}

/** Whether its host's process is provably dead: of this machine, of this boot and pid namespace, and not there any more. */
export function isLeftBehind({ owner }: SessionFolder, machineId: string): boolean {
  return owner.machineId === machineId && isSameSpace(owner.space, currentProcessSpace()) && !isAlive(owner)
}

async function readOwner(path: string): Promise<FolderOwner | null> {
  try {
    const owner = JSON.parse(await readFile(join(path, OWNER_FILE), 'utf8')) as Partial<FolderOwner> | null
    return typeof owner?.pid === 'number' && typeof owner.machineId === 'string' && typeof owner.space === 'object'
      ? (owner as FolderOwner)
      : null
  } catch {
    return null // being made, or not ours: nothing is proved, so it stays
  }
}
