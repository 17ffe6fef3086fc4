import { join } from 'node:path'
import type { Page } from 'playwright-core'
import type { RecordedFile } from '../sessions/recording.js'

/** One video for each page, by Playwright's own recorder, which wants its own ffmpeg. */
export class PageVideos {
  readonly #folder: string
  readonly #open = new Map<Page, Promise<void>>()
  readonly #files: RecordedFile[] = []

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Rejects where pages cannot be recorded. */
  async record(page: Page): Promise<void> {
    if (this.#open.has(page)) return
    const filename = `video-${this.#open.size + 1}.webm`
    const path = join(this.#folder, filename)
    const starting = page.screencast.start({ path }).then(() => {
      this.#files.push({ path, filename, mimeType: 'video/webm' })
    })
    this.#open.set(page, starting)
    await starting
  }

  /** Ends them all; a page that has closed meanwhile has ended its own. */
  async end(): Promise<readonly RecordedFile[]> {
    await Promise.allSettled(
      [...this.#open].map(async ([page, starting]) => {
        await starting
        if (!page.isClosed()) await page.screencast.stop()
      }),
    )
    return [...this.#files].sort((a, b) => (a.filename < b.filename ? -1 : 1))
  }
}
