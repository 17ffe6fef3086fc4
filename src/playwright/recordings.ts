import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { BrowserContext, Page } from 'playwright-core'
import { RecordingError } from '../errors/index.js'
import type { Clock } from '../runtime/index.js'
import type { RecordedFile, RecordingKind } from '../sessions/recording.js'
import { ConsoleLog } from './console-log.js'
import { PageVideos } from './page-videos.js'

export interface RecordingsParams {
  readonly context: BrowserContext
  /** Where the files are written: a folder of the session's own. */
  readonly folder: string
  readonly kinds: readonly RecordingKind[]
  readonly clock: Clock
}

/**
 * What is recorded of one browser from its launch on. A recording that cannot begin does not keep the browser from coming up: `finish` says
 * what was wrong with it.
 */
export class Recordings {
  readonly #params: RecordingsParams
  readonly #console: ConsoleLog
  readonly #videos: PageVideos
  readonly #failures = new Map<RecordingKind, unknown>()

  constructor(params: RecordingsParams) {
    this.#params = params
    this.#console = new ConsoleLog(join(params.folder, 'console.jsonl'), params.clock)
    this.#videos = new PageVideos(params.folder)
  }

  /** Begins with all that is wanted; part of the launch. */
  async start(): Promise<void> {
    for (const kind of this.#params.kinds) {
      await this.#start(kind).catch((error: unknown) => {
        this.#failures.set(kind, error)
      })
    }
  }

  /**
   * Ends one recording.
   * @throws {RecordingError} `RECORDING_FAILED`
   */
  async finish(kind: RecordingKind): Promise<readonly RecordedFile[]> {
    const failure = this.#failures.get(kind)
    if (failure !== undefined) throw recordingError(kind, failure)
    try {
      return await this.#finish(kind)
    } catch (cause) {
      throw recordingError(kind, cause)
    }
  }

  async #start(kind: RecordingKind): Promise<void> {
    const { context, folder } = this.#params
    const { tracing } = context
    switch (kind) {
      case 'console_log':
        return this.#console.follow(context)
      case 'trace':
        await tracing.start({ screenshots: true, snapshots: true })
        return
      case 'har':
        // bodies would make it as large as all that was loaded
        await tracing.startHar(join(folder, 'network.har'), { content: 'omit' })
        return
      case 'video': {
        const record = (page: Page) => this.#videos.record(page)
        await Promise.all(context.pages().map(record))
        context.on('page', (page) => record(page).catch(() => {})) // a tab that closes at once has none
      }
    }
  }

  async #finish(kind: RecordingKind): Promise<readonly RecordedFile[]> {
    const { context, folder } = this.#params
    switch (kind) {
      case 'console_log':
        return [{ path: await this.#console.end(), filename: 'console.jsonl', mimeType: 'application/jsonl' }]
      case 'trace': {
        const path = join(folder, 'trace.zip')
        await context.tracing.stop({ path })
        return [{ path, filename: 'trace.zip', mimeType: 'application/zip' }]
      }
      case 'har':
        await context.tracing.stopHar()
        return [{ path: join(folder, 'network.har'), filename: 'network.har', mimeType: 'application/json' }]
      case 'video':
        return withContent(await this.#videos.end())
    }
  }
}

async function withContent(files: readonly RecordedFile[]): Promise<readonly RecordedFile[]> {
  const sizes = await Promise.all(
    files.map((file) =>
      stat(file.path).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  ) // a tab without a picture
  return files.filter((_file, index) => (sizes[index] ?? 0) > 0)
}

function recordingError(kind: RecordingKind, cause: unknown): RecordingError {
  const text = cause instanceof Error ? cause.message : String(cause)
  const reason = /ffmpeg/i.test(text)
    ? 'Playwright has no ffmpeg of its own here: run `npx playwright-core install ffmpeg`, or record the display of the session instead'
    : (text.split('\n')[0] ?? text)
  return new RecordingError(kind, reason, cause)
}
