import { createReadStream } from 'node:fs'
import { TimeoutError } from '../errors/index.js'
import { withDeadline } from '../runtime/index.js'
import type { ArtifactBody } from '../storage/artifacts/artifact-store.js'
import type { Artifacts } from '../storage/artifacts/artifacts.js'
import type { ProfileKind } from '../storage/tables/browser-profiles.js'
import { type BrowserState, besideDirectory } from './browser-state.js'
import type { SessionPoolSettings } from './options.js'
import type { BrowserHandle } from './ports.js'
import { STATE_FILES } from './profiles/browser-profile.js'
import { archiveDirectory } from './profiles/profile-archive.js'
import { packState } from './profiles/state-codec.js'
import type { RecordedFile, RecordingKind } from './recording.js'
import type { SessionDirectory } from './session-directory.js'
import type { SessionJournal } from './session-journal.js'

/** What stays of a session when it ends. */
export interface SessionKeeps {
  /** How its state is kept; null: it is not. */
  state: ProfileKind | null
  /** Whether somebody asked for that: its failure is an event then. Nobody asked for the state of a browser that crashed. */
  readonly isStateAsked: boolean
  readonly recordings: readonly RecordingKind[]
}

/** A session as far as its exports are concerned. */
export interface ExportedSession {
  readonly browserSessionId: string
  readonly organizationId: string
  readonly browser: BrowserHandle
  readonly directory: SessionDirectory
  readonly keeps: SessionKeeps
}

/** Limit of what a browser is asked for before it closes, each, in milliseconds. */
const COLLECT_LIMIT_MS = 10_000
/** Limit of storing one file, in milliseconds. */
const STORE_LIMIT_MS = 60_000

/** Makes the exports of sessions that end. */
export class SessionExports {
  readonly #parts: Omit<ConstructorParameters<typeof SessionExport>[0], 'session'>

  constructor(parts: Omit<ConstructorParameters<typeof SessionExport>[0], 'session'>) {
    this.#parts = parts
  }

  of(session: ExportedSession): SessionExport {
    return new SessionExport({ ...this.#parts, session })
  }
}

/** The end of one session: what is taken from its browser while it runs, and stored when it has closed. */
export class SessionExport {
  readonly #settings: SessionPoolSettings
  readonly #journal: SessionJournal
  readonly #artifacts: Artifacts
  readonly #session: ExportedSession
  #state: BrowserState | null = null
  #files: { readonly kind: RecordingKind; readonly file: RecordedFile }[] = []
  #isCollected = false
  #isStored = false

  constructor(parts: {
    readonly settings: SessionPoolSettings
    readonly journal: SessionJournal
    readonly artifacts: Artifacts
    readonly session: ExportedSession
  }) {
    this.#settings = parts.settings
    this.#journal = parts.journal
    this.#artifacts = parts.artifacts
    this.#session = parts.session
  }

  /** Takes state and recordings from the browser; each failure is an event, none is thrown. Once only. */
  async collect(isClean: boolean): Promise<void> {
    if (this.#isCollected) return
    this.#isCollected = true
    const { keeps } = this.#session
    await Promise.all(keeps.recordings.map((kind) => this.#finishRecording(kind)))
    if (keeps.state !== null) await this.#takeState(isClean)
  }

  /** Stores what was taken, now that the browser is gone and before its folder is; never rejects. Once only. */
  async store(): Promise<void> {
    if (this.#isStored) return
    this.#isStored = true
    for (const { kind, file } of this.#files) {
      await this.#attempt(kind, file.filename, STORE_LIMIT_MS, (signal) =>
        this.#save({ type: kind, filename: file.filename, mimeType: file.mimeType, body: createReadStream(file.path), signal }),
      )
    }
    if (this.#state !== null) await this.#storeState(this.#state)
  }

  async #finishRecording(kind: RecordingKind): Promise<void> {
    const { browser } = this.#session
    await this.#attempt(kind, null, COLLECT_LIMIT_MS, async (signal) => {
      if (browser.finishRecording === undefined) throw new Error(`this browser cannot record ${kind}`)
      const files = await browser.finishRecording(kind, { signal, timeoutMs: COLLECT_LIMIT_MS })
      this.#files.push(...files.map((file) => ({ kind, file })))
    })
  }

  async #takeState(isClean: boolean): Promise<void> {
    const { browser, keeps } = this.#session
    if (!keeps.isStateAsked && (!isClean || browser.snapshot === undefined)) return
    // nobody waits for a state that nobody asked for longer than for a close
    const timeoutMs = keeps.isStateAsked ? COLLECT_LIMIT_MS : Math.min(COLLECT_LIMIT_MS, this.#settings.closeTimeoutMs)
    await this.#attempt('profile', null, timeoutMs, async (signal) => {
      if (!isClean) throw new Error('the browser is gone')
      if (browser.snapshot === undefined) throw new Error('this browser cannot give its state')
      this.#state = await browser.snapshot({ signal, timeoutMs })
    })
  }

  async #storeState(state: BrowserState): Promise<void> {
    const { keeps, browser, directory } = this.#session
    const kind = keeps.state ?? 'snapshot'
    const { filename, mimeType } = STATE_FILES[kind]
    await this.#attempt('profile', filename, STORE_LIMIT_MS, async (signal) => {
      if (kind === 'directory' && browser.isClosedCleanly !== true) throw new Error('its browser did not close cleanly')
      const body = kind === 'snapshot' ? await packState(state) : await archiveDirectory(directory.path, besideDirectory(state))
      await this.#save({ type: 'profile', filename, mimeType, body, signal })
    })
  }

  async #save(params: {
    readonly type: RecordingKind | 'profile'
    readonly filename: string
    readonly mimeType: string
    readonly body: ArtifactBody
    readonly signal: AbortSignal
  }): Promise<void> {
    const { organizationId, browserSessionId } = this.#session
    await this.#artifacts.save({ organizationId, browserSessionId, ...params })
  }

  async #attempt(
    type: RecordingKind | 'profile',
    filename: string | null,
    timeoutMs: number,
    run: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const { clock } = this.#settings
    const onTimeout = () => new TimeoutError(`The ${type} of session ${this.#session.browserSessionId}`, timeoutMs)
    try {
      await withDeadline({ run, timeoutMs, onTimeout, clock })
    } catch (error) {
      await this.#failed(type, filename, error)
    }
  }

  async #failed(type: RecordingKind | 'profile', filename: string | null, error: unknown): Promise<void> {
    const { browserSessionId, organizationId } = this.#session
    const { logger } = this.#settings
    logger.warn('something of a session could not be kept', { browserSessionId, type, error })
    const reason = error instanceof Error ? error.message : String(error)
    const payload = { type, filename, reason, workflowRunId: null, browserSessionId }
    try {
      const result = await this.#journal.commit([
        this.#journal.append(browserSessionId, [this.#journal.event('artifact.failed', organizationId, payload)]),
      ])
      if (result.ok) this.#journal.emit(result.events)
    } catch (failure) {
      logger.warn('cannot record that something was not kept', { browserSessionId, type, error: failure })
    }
  }
}
