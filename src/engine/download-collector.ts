import { ActionError } from '../errors/index.js'
import type { DownloadedFile } from '../events/index.js'
import type { Clock } from '../runtime/index.js'
import type { BrowserHandle, PageDownload } from '../sessions/index.js'

export interface CollectDownloadsParams {
  readonly atLeast: number
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** Stores a finished file. */
  readonly save: (file: { readonly path: string; readonly filename: string }) => Promise<DownloadedFile>
  /** Name for the first file; a second gets a number. */
  readonly filename?: string | undefined
}

/** The files that a run's browser downloads, attempt by attempt. */
export class DownloadCollector {
  readonly #clock: Clock
  #downloads: PageDownload[] = []
  #onArrival: (() => void) | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Listens to a browser; gives the function that ends it. */
  watch(browser: BrowserHandle): () => void {
    return browser.onDownload((download) => {
      this.#downloads.push(download)
      this.#onArrival?.()
    })
  }

  /** Forgets earlier downloads: a block attempt begins. */
  begin(): void {
    this.#downloads = []
  }

  /** Waits for enough downloads, and for each to end; stores them. Fewer than `atLeast` after the time is no failure here. */
  async collect(params: CollectDownloadsParams): Promise<readonly DownloadedFile[]> {
    const startedMs = this.#clock.monotonicMs()
    await this.#waitForArrivals(params)
    const files: DownloadedFile[] = []
    for (const [index, download] of this.#downloads.splice(0).entries()) {
      const timeoutMs = Math.max(1_000, params.timeoutMs - (this.#clock.monotonicMs() - startedMs))
      const path = await download.path({ signal: params.signal, timeoutMs }).catch((cause: unknown) => {
        params.signal.throwIfAborted()
        if (cause instanceof ActionError) throw cause
        throw new ActionError(`The download of ${download.url} broke off`, {
          code: 'DOWNLOAD_FAILED',
          details: { url: download.url },
          cause,
        })
      })
      files.push(await params.save({ path, filename: filenameFor(download, params.filename, index) }))
    }
    return files
  }

  #waitForArrivals({ atLeast, timeoutMs, signal }: CollectDownloadsParams): Promise<void> {
    if (this.#downloads.length >= atLeast) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        timer.cancel()
        signal.removeEventListener('abort', onAbort)
        this.#onArrival = null
        settle()
      }
      const onAbort = () => end(() => reject(signal.reason))
      const timer = this.#clock.setTimer(() => end(resolve), timeoutMs)
      this.#onArrival = () => {
        if (this.#downloads.length >= atLeast) end(resolve)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      if (signal.aborted) onAbort()
    })
  }
}

function filenameFor(download: PageDownload, wanted: string | undefined, index: number): string {
  if (wanted === undefined || wanted.trim() === '') return download.suggestedFilename
  const ending = /\.[^.]+$/.exec(wanted) === null ? (/\.[^.]+$/.exec(download.suggestedFilename)?.[0] ?? '') : ''
  return index === 0 ? `${wanted}${ending}` : `${index + 1}-${wanted}${ending}`
}
