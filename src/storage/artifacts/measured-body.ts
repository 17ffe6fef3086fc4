import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { ArtifactError } from '../../errors/index.js'
import { isAbortError, raceAbort } from '../../runtime/index.js'
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
    const iterator = iteratorOf(body)
    let isDone = false
    try {
      for (;;) {
        signal?.throwIfAborted()
        const next = await raceAbort(Promise.resolve(iterator.next()), signal) // a source that hangs does not keep an abort waiting
        isDone = next.done === true
        if (next.done) return
        const bytes = typeof next.value === 'string' ? Buffer.from(next.value) : next.value
        this.#count(bytes)
        yield bytes
      }
    } finally {
      if (!isDone) giveUp(body, iterator)
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

type Source = AsyncIterator<Uint8Array | string> | Iterator<Uint8Array>

function iteratorOf(body: ArtifactBody): Source {
  if (body instanceof Uint8Array) return [body][Symbol.iterator]()
  return (body as AsyncIterable<Uint8Array | string>)[Symbol.asyncIterator]()
}

/** Ends a source that is not read to its end; one that hangs answers when it can. */
function giveUp(body: ArtifactBody, iterator: Source): void {
  if (body instanceof Readable) body.destroy()
  else Promise.resolve(iterator.return?.()).catch(() => {}) // what it says now changes nothing
}

/** What a failed write is reported as: our own errors and aborts as they are, anything else as `ARTIFACT_FAILED` with its cause. */
export function bodyFailure(key: string, error: unknown): unknown {
  if (ArtifactError.is(error) || isAbortError(error)) return error
  const reason = error instanceof Error ? error.message : String(error)
  return new ArtifactError(`Artifact ${key} could not be stored: ${reason}`, { code: 'ARTIFACT_FAILED', details: { key }, cause: error })
}
