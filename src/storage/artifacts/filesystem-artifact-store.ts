import { type FileHandle, lstat, mkdir, open, readdir, realpath, rename, rm, rmdir, stat } from 'node:fs/promises'
import { dirname, join, resolve, sep } from 'node:path'
import type { Readable } from 'node:stream'
import { ArtifactError } from '../../errors/index.js'
import { type Clock, type Random, systemClock, systemRandom } from '../../runtime/index.js'
import {
  type ArtifactBody,
  type ArtifactMeta,
  type ArtifactStore,
  artifactNotFound,
  checkArtifactKey,
  DEFAULT_MAX_ARTIFACT_BYTES,
  type StoredBytes,
} from './artifact-store.js'
import { bodyFailure, MeasuredBody } from './measured-body.js'

/** Options of {@link FilesystemArtifactStore}. */
export interface FilesystemArtifactStoreOptions {
  /** Folder that holds the artifacts; made when it is first needed, for this user only. */
  readonly directory: string
  /** Largest artifact, in bytes. @default 1073741824 */
  readonly maxBytes?: number
  readonly random?: Random
  readonly clock?: Clock
}

/** Files that are being written; keys cannot begin with a dot, so that none names one. */
const WRITING = '.writing-'
/** What a write left that was broken off is older than this; nobody writes one file for so long. In milliseconds. */
const ABANDONED_AFTER_MS = 86_400_000

/**
 * Keeps the bytes of artifacts in files. A file is written beside its place and renamed into it once it is whole and on disk: a reader
 * never sees half of one. Files have mode 0600, folders 0700.
 */
export class FilesystemArtifactStore implements ArtifactStore {
  readonly #directory: string
  readonly #maxBytes: number
  readonly #random: Random
  readonly #clock: Clock

  constructor(options: FilesystemArtifactStoreOptions) {
    this.#directory = resolve(options.directory)
    this.#maxBytes = options.maxBytes ?? DEFAULT_MAX_ARTIFACT_BYTES
    this.#random = options.random ?? systemRandom
    this.#clock = options.clock ?? systemClock
  }

  async put(key: string, body: ArtifactBody, meta: ArtifactMeta = {}): Promise<StoredBytes> {
    const path = this.#pathOf(key)
    const measured = new MeasuredBody({ key, body, maxBytes: this.#maxBytes, signal: meta.signal })
    const beside = join(dirname(path), `${WRITING}${this.#random.bytes(12).toString('hex')}`)
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 })
      await this.#checkInside(key, dirname(path))
      await writeWhole(beside, measured)
      await rename(beside, path)
    } catch (error) {
      await rm(beside, { force: true }).catch(() => {}) // the first failure is the one to report
      throw bodyFailure(key, error)
    }
    return measured.result()
  }

  async get(key: string): Promise<Readable> {
    const handle = await this.#open(key)
    return handle.createReadStream()
  }

  async head(key: string): Promise<{ readonly size: number } | undefined> {
    const path = this.#pathOf(key)
    try {
      await this.#checkInside(key, dirname(path))
      const found = await stat(path)
      return found.isFile() ? { size: found.size } : undefined
    } catch (error) {
      if (isMissing(error)) return undefined
      throw bodyFailure(key, error)
    }
  }

  async delete(key: string): Promise<void> {
    const path = this.#pathOf(key)
    try {
      await this.#checkInside(key, dirname(path))
      await rm(path, { force: true })
    } catch (error) {
      if (!isMissing(error)) throw bodyFailure(key, error)
    }
  }

  /** Removes half-written files and empty folders that have not changed for a day. */
  async tidy(): Promise<void> {
    await this.#tidy(this.#directory, this.#clock.now().getTime() - ABANDONED_AFTER_MS)
  }

  async #tidy(folder: string, beforeMs: number): Promise<void> {
    const entries = await readdir(folder, { withFileTypes: true }).catch(ignoreMissing<never[]>([]))
    for (const entry of entries) {
      const path = join(folder, entry.name)
      const isWriting = entry.isFile() && entry.name.startsWith(WRITING)
      if (!entry.isDirectory() && !isWriting) continue
      const isOld = await lstat(path).then(({ mtimeMs }) => mtimeMs < beforeMs, ignoreMissing(false))
      if (entry.isDirectory()) await this.#tidy(path, beforeMs)
      if (!isOld) continue
      if (isWriting) await rm(path, { force: true })
      else await rmdir(path).catch(() => {}) // not empty, or somebody was quicker
    }
  }

  async #open(key: string): Promise<FileHandle> {
    const path = this.#pathOf(key)
    let handle: FileHandle | undefined
    try {
      await this.#checkInside(key, dirname(path))
      handle = await open(path, 'r')
      if ((await handle.stat()).isFile()) return handle
    } catch (error) {
      if (!isMissing(error)) throw bodyFailure(key, error)
    }
    await handle?.close()
    throw artifactNotFound(key)
  }

  #pathOf(key: string): string {
    checkArtifactKey(key)
    return join(this.#directory, ...key.split('/'))
  }

  /** A key has no way out by its text; a symbolic link among the folders would be one. */
  async #checkInside(key: string, folder: string): Promise<void> {
    const root = await realpath(this.#directory)
    const real = await realpath(folder)
    if (real === root || real.startsWith(root + sep)) return
    throw new ArtifactError(`Artifact key ${key} leads out of the store`, { code: 'ARTIFACT_KEY_INVALID', details: { key } })
  }
}

async function writeWhole(path: string, body: AsyncIterable<Uint8Array>): Promise<void> {
  const handle = await open(path, 'wx', 0o600)
  try {
    for await (const chunk of body) await handle.writeFile(chunk)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** What a look at a file gives when it has gone meanwhile. */
const ignoreMissing =
  <T>(value: T) =>
  (error: unknown): T => {
    if (isMissing(error)) return value
    throw error
  }

function isMissing(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return code === 'ENOENT' || code === 'ENOTDIR'
}
