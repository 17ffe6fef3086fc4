import { Readable } from 'node:stream'
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

/** Options of {@link MemoryArtifactStore}. */
export interface MemoryArtifactStoreOptions {
  /** Largest artifact, in bytes. @default 1073741824 */
  readonly maxBytes?: number
}

/** Keeps the bytes of artifacts in this process's memory. */
export class MemoryArtifactStore implements ArtifactStore {
  readonly #files = new Map<string, Buffer>()
  readonly #maxBytes: number

  constructor(options: MemoryArtifactStoreOptions = {}) {
    this.#maxBytes = options.maxBytes ?? DEFAULT_MAX_ARTIFACT_BYTES
  }

  async put(key: string, body: ArtifactBody, meta: ArtifactMeta = {}): Promise<StoredBytes> {
    checkArtifactKey(key)
    const measured = new MeasuredBody({ key, body, maxBytes: this.#maxBytes, signal: meta.signal })
    const chunks: Uint8Array[] = []
    try {
      for await (const chunk of measured) chunks.push(Buffer.from(chunk))
    } catch (error) {
      throw bodyFailure(key, error)
    }
    this.#files.set(key, Buffer.concat(chunks))
    return measured.result()
  }

  async get(key: string): Promise<Readable> {
    checkArtifactKey(key)
    const bytes = this.#files.get(key)
    if (bytes === undefined) throw artifactNotFound(key)
    return Readable.from([Buffer.from(bytes)], { objectMode: false })
  }

  async head(key: string): Promise<{ readonly size: number } | undefined> {
    checkArtifactKey(key)
    const bytes = this.#files.get(key)
    return bytes && { size: bytes.byteLength }
  }

  async delete(key: string): Promise<void> {
    checkArtifactKey(key)
    this.#files.delete(key)
  }
}
