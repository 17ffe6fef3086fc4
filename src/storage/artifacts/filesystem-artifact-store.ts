import { type FileHandle, mkdir, open, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve, sep } from 'node:path'
import type { Readable } from 'node:stream'
import { ArtifactError } from '../../errors/index.js'
import { type Random, systemRandom } from '../../runtime/index.js'
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
}

/**
 * Keeps the bytes of artifacts in files. A file is written beside its place and renamed into it once it is whole and on disk: a reader
 * never sees half of one. Files have mode 0600, folders 0700.
 */
export class FilesystemArtifactStore implements ArtifactStore {
  readonly #directory: string
  readonly #maxBytes: number
  readonly #random: Random

  constructor(options: FilesystemArtifactStoreOptions) {
    this.#directory = resolve(options.directory)
    this.#maxBytes = options.maxBytes ?? DEFAULT_MAX_ARTIFACT_BYTES
    this.#random = options.random ?? systemRandom
  }

  async put(key: string, body: ArtifactBody, meta: ArtifactMeta = {}): Promise<StoredBytes> {
    const path = this.#pathOf(key)
    const measured = new MeasuredBody({ key, body, maxBytes: this.#maxBytes, signal: meta.signal })
    // keys cannot begin with a dot, so that no key names a file that is being written
    const beside = join(dirname(path), `.writing-${this.#random.bytes(12).toString('hex')}`)
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

function isMissing(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return code === 'ENOENT' || code === 'ENOTDIR'
}
