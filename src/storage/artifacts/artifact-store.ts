import type { Readable } from 'node:stream'
import { ArtifactError } from '../../errors/index.js'

/** What an artifact's bytes can come from. */
export type ArtifactBody = Uint8Array | Readable | AsyncIterable<Uint8Array>

/** What is known of an artifact before its bytes. */
export interface ArtifactMeta {
  readonly mimeType?: string | undefined
  /** Ends the writing; nothing is stored then. */
  readonly signal?: AbortSignal | undefined
}

/** What a store measured while it wrote. */
export interface StoredBytes {
  /** In bytes. */
  readonly size: number
  /** In hex. */
  readonly sha256: string
}

/**
 * Where the bytes of artifacts live. Keys are relative paths of letters, digits and `._~-`, at most 512 characters; a store refuses any
 * other with `ARTIFACT_KEY_INVALID` (see `checkArtifactKey`).
 */
export interface ArtifactStore {
  /** Stores all bytes or none; replaces what the key held. Rejects with `ARTIFACT_TOO_LARGE` past the store's limit. */
  put(key: string, body: ArtifactBody, meta?: ArtifactMeta): Promise<StoredBytes>
  /** Rejects with `ARTIFACT_NOT_FOUND`. The stream has to be read or destroyed. */
  get(key: string): Promise<Readable>
  /** Size in bytes; undefined where the key holds nothing. */
  head(key: string): Promise<{ readonly size: number } | undefined>
  /** Harmless where the key holds nothing. */
  delete(key: string): Promise<void>
  /** Clears away what broken-off writes left, where a store has such; `engine.prune` calls it. */
  tidy?(): Promise<void>
  /** An address from which the bytes can be had for a while, where the store has such. */
  url?(key: string, options: { readonly expiresInSeconds: number }): Promise<string>
}

/** Largest artifact that the shipped stores take unless told otherwise, in bytes: 1 GiB. */
export const DEFAULT_MAX_ARTIFACT_BYTES = 1_073_741_824

const SEGMENT = /^[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,199}$/

/**
 * Refuses keys that could leave the store or hide in it: absolute ones, `..`, names that begin with a dot, back slashes, control characters.
 * @throws {ArtifactError} `ARTIFACT_KEY_INVALID`.
 */
export function checkArtifactKey(key: string): void {
  const isValid = typeof key === 'string' && key.length <= 512 && key.split('/').every((segment) => SEGMENT.test(segment))
  if (isValid) return
  throw new ArtifactError('An artifact key must be a relative path of letters, digits and ._~-', {
    code: 'ARTIFACT_KEY_INVALID',
    details: { key: String(key).slice(0, 600) },
  })
}

export function artifactNotFound(key: string): ArtifactError {
  return new ArtifactError(`No artifact is stored under ${key}`, { code: 'ARTIFACT_NOT_FOUND', details: { key } })
}
