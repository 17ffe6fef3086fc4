import { createHash } from 'node:crypto'
import { ArtifactError } from '../../errors/index.js'
import type { ArtifactBody, StoredBytes } from './artifact-store.js'

export interface MeasuredBodyParams {
  readonly key: string
  readonly body: ArtifactBody
  readonly maxBytes: number
  readonly signal?: AbortSignal | undefined
}

/** The chunks of a body, counted and hashed as they pass; ends with `ARTIFACT_TOO_LARGE` past the limit. */
export class MeasuredBody implements AsyncIterable<Uint8Array> {
  readonly #params: MeasuredBodyParams
  readonly #hash = createHash('sha256')
  #size = 0

  constructor(params: MeasuredBodyParams) {
    this.#params = params
  }

  /** What passed; to be asked once, at the end. */
  result(): StoredBytes {
    return { size: this.#size, sha256: this.#hash.digest('hex') }
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    const { body, signal } = this.#params
    signal?.throwIfAborted()
    for await (const chunk of body instanceof Uint8Array ? [body] : body) {
      signal?.throwIfAborted()
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Uint8Array)
      this.#count(bytes)
      yield bytes
    }
  }

  #count(bytes: Uint8Array): void {
    const { key, maxBytes } = this.#params
    this.#size += bytes.byteLength
    if (this.#size > maxBytes) {
      throw new ArtifactError(`Artifact ${key} is larger than ${maxBytes} bytes`, {
        code: 'ARTIFACT_TOO_LARGE',
        details: { key, maxBytes },
      })
    }
    this.#hash.update(bytes)
  }
}
