import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { create, extract } from 'tar'
import { ProfileUnreadableError } from '../../errors/index.js'
import type { BrowserState } from '../browser-state.js'
import { stateFromText, stateToText } from './state-codec.js'

/** Names within a session's folder; the archive has the same. */
const PROFILE = 'profile'
const STATE_FILE = 'state.json'

/** What a browser makes again by itself, or what only holds for the process that wrote it. Sites' own storage is not among it. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  ...['Cache', 'Code Cache', 'GPUCache', 'GPUPersistentCache', 'GrShaderCache', 'GraphiteDawnCache', 'ShaderCache'],
  ...['DawnCache', 'DawnGraphiteCache', 'DawnWebGPUCache', 'Shared Dictionary', 'component_crx_cache', 'extensions_crx_cache'],
  ...['Safe Browsing', 'segmentation_platform', 'OptimizationGuideModelsManifest', 'optimization_guide_model_store'],
  ...['BrowserMetrics', 'DeferredBrowserMetrics', 'Crashpad', 'Crash Reports', 'DevToolsActivePort', 'lockfile'],
  ...['SingletonLock', 'SingletonCookie', 'SingletonSocket'],
])

/**
 * Whether a path of a session's folder goes into the archive of its profile. Pure. Names count only where browsers put their caches:
 * `profile/Cache` and `profile/Default/Cache`, not a folder of that name deep in a site's storage.
 */
export function isArchived(path: string): boolean {
  const [root, ...segments] = path.split('/').filter((segment) => segment !== '' && segment !== '.')
  if (root === STATE_FILE) return segments.length === 0
  return root === PROFILE && !segments.slice(0, 2).some((segment) => LEFT_OUT.has(segment))
}

/**
 * The user-data folder of a browser that has closed cleanly, with the state that such a folder does not hold, as a gzipped tar.
 * A copy of a running or a killed browser's folder lacks its last writes, cookies among them.
 */
export async function archiveDirectory(directory: string, beside: BrowserState): Promise<AsyncIterable<Uint8Array>> {
  await writeFile(join(directory, STATE_FILE), stateToText(beside), { mode: 0o600 })
  const filter = (path: string, entry: object) => isArchived(path) && isOrdinary(entry)
  const pack = create({ gzip: true, cwd: directory, portable: true, strict: true, filter }, [STATE_FILE, PROFILE])
  pack.on('error', () => {}) // whoever reads it hears of the first; a later one would end the process
  return pack
}

/**
 * Unpacks such an archive into a session's folder, which holds no profile yet, and gives the state that goes with it. Only plain files
 * and folders below the profile are taken.
 * @throws {ProfileUnreadableError} `PROFILE_UNREADABLE`
 */
export function unpackDirectory(body: Readable, directory: string, what: string): Promise<BrowserState> {
  return unpack({ body, directory, what, accepts: isArchived })
}

/**
 * The same for nothing but the state; the folder is left as it was.
 * @throws {ProfileUnreadableError} `PROFILE_UNREADABLE`
 */
export function unpackStateFile(body: Readable, directory: string, what: string): Promise<BrowserState> {
  return unpack({ body, directory, what, accepts: (path) => path === STATE_FILE })
}

async function unpack(params: {
  readonly body: Readable
  readonly directory: string
  readonly what: string
  readonly accepts: (path: string) => boolean
}): Promise<BrowserState> {
  const { body, directory, what, accepts } = params
  const filter = (path: string, entry: object) => accepts(path) && isPlain(entry)
  const unpacking = extract({ cwd: directory, strict: true, noMtime: true, filter })
  const emitter = unpacking as unknown as NodeJS.EventEmitter
  emitter.on('error', () => {}) // the first is reported; what files under way say after it would end the process
  const done = once(emitter, 'close')
  done.catch(() => {}) // awaited below
  try {
    for await (const chunk of body) if (!unpacking.write(chunk as Buffer)) await Promise.race([once(emitter, 'drain'), done])
    unpacking.end()
    await done
    const state = stateFromText(await readFile(join(directory, STATE_FILE), 'utf8'), what)
    await rm(join(directory, STATE_FILE)) // it holds cookies, and has done its work
    return state
  } catch (cause) {
    // files that were under way are still being written: the retries wait for them
    await rm(join(directory, PROFILE), { recursive: true, force: true, maxRetries: 5, retryDelay: 20 }).catch(() => {}) // the folder goes as a whole
    if (cause instanceof ProfileUnreadableError) throw cause
    throw new ProfileUnreadableError(what, cause instanceof Error ? cause.message : String(cause), cause)
  } finally {
    body.destroy()
  }
}

/** Neither link nor socket; what is packed is a file of the disk. */
const isOrdinary = (entry: object) => {
  const stats = entry as { isFile?(): boolean; isDirectory?(): boolean }
  return stats.isFile?.() === true || stats.isDirectory?.() === true
}
const isPlain = (entry: object) => 'type' in entry && /^(File|OldFile|ContiguousFile|Directory|GNUDumpDir)$/.test(String(entry.type))
