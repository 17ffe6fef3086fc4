import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** Names of files and folders: nothing hidden, nothing that leads upward, no escapes. */
const SAFE_PATH = /^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/

/** A file as it is served. */
export interface StaticFile {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly contentType: string
  readonly etag: string
}

/** Files of one folder, by a path that cannot leave it. */
export class StaticFolder {
  readonly #root: () => string
  readonly #cache = new Map<string, Promise<StaticFile | undefined>>()

  /** @param root found at the first use. */
  constructor(root: () => string) {
    this.#root = root
  }

  /** Undefined: no such file, or not one of a type that is served. What was read is kept: it is little, and does not change. */
  async read(path: string): Promise<StaticFile | undefined> {
    const contentType = CONTENT_TYPES[extname(path)]
    if (contentType === undefined || !SAFE_PATH.test(path)) return undefined
    const cached = this.#cache.get(path)
    if (cached) return cached
    const file = this.#load(path, contentType)
    this.#cache.set(path, file)
    if ((await file) === undefined) this.#cache.delete(path) // unknown names must not fill the memory
    return file
  }

  async #load(path: string, contentType: string): Promise<StaticFile | undefined> {
    try {
      const bytes = new Uint8Array(await readFile(join(this.#root(), path)))
      return { bytes, contentType, etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"` }
    } catch (error) {
      if (['ENOENT', 'EISDIR', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
      throw error
    }
  }
}
