import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Download } from 'playwright-core'
import { ActionError } from '../errors/index.js'
import { type Clock, withDeadline } from '../runtime/index.js'
import type { PageDownload, PageOperationOptions } from '../sessions/ports.js'

/** A download of Playwright's, kept under its own name in the session's folder. */
export class DownloadFile implements PageDownload {
  readonly suggestedFilename: string
  readonly url: string
  readonly #download: Download
  readonly #directory: string
  readonly #clock: Clock
  #saving: Promise<string> | undefined

  constructor(download: Download, directory: string, clock: Clock) {
    this.#download = download
    this.#directory = directory
    this.#clock = clock
    this.suggestedFilename = safeFilename(download.suggestedFilename())
    this.url = download.url()
  }

  /** An abort cancels the download. */
  async path(options: PageOperationOptions): Promise<string> {
    this.#saving ??= this.#save()
    const { timeoutMs, signal } = options
    const onTimeout = () => this.#failure(`it took longer than ${timeoutMs} ms`, undefined, true)
    const saving = this.#saving
    try {
      return await withDeadline({ run: () => saving, timeoutMs, onTimeout, signal, clock: this.#clock })
    } catch (error) {
      if (signal.aborted) await this.#download.cancel().catch(() => {}) // over, or its browser is gone
      throw error
    }
  }

  async #save(): Promise<string> {
    const path = await reserveFile(this.#directory, this.suggestedFilename)
    try {
      await this.#download.saveAs(path)
      return path
    } catch (cause) {
      await rm(path, { force: true })
      const reason = await this.#download.failure().catch(() => null) // its browser is gone
      throw this.#failure(reason ?? 'the browser is gone', cause, true)
    }
  }

  #failure(reason: string, cause?: unknown, retryable = false): ActionError {
    return new ActionError(`The download of ${this.suggestedFilename} failed: ${reason}`, {
      code: 'DOWNLOAD_FAILED',
      details: { url: this.url, filename: this.suggestedFilename, reason },
      cause,
      retryable,
    })
  }
}

/** A name that a site suggests, made fit to be one file of one folder. */
export function safeFilename(suggested: string): string {
  const bare = suggested
    .replaceAll(/[\p{Cc}<>:"/\\|?*]/gu, '_')
    .replace(/^\.+/, '_')
    .trim()
  const dot = bare.lastIndexOf('.')
  const extension = dot > 0 && bare.length - dot <= 12 ? bare.slice(dot) : ''
  const stem = extension === '' ? bare : bare.slice(0, dot)
  return `${clip(stem, 180)}${extension}` || 'download'
}

/** Within bytes, as file systems count, and without half a character. */
function clip(text: string, maxBytes: number): string {
  let clipped = text
  while (Buffer.byteLength(clipped) > maxBytes) clipped = [...clipped].slice(0, -1).join('')
  return clipped
}

/** Makes an empty file that nobody else has: `a.pdf`, `a (1).pdf`, … */
async function reserveFile(directory: string, filename: string): Promise<string> {
  const dot = filename.lastIndexOf('.')
  const [stem, extension] = dot > 0 ? [filename.slice(0, dot), filename.slice(dot)] : [filename, '']
  for (let copy = 0; ; copy += 1) {
    const path = join(directory, copy === 0 ? filename : `${stem} (${copy})${extension}`)
    try {
      await (await open(path, 'wx')).close()
      return path
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}
