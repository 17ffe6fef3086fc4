import type { Json } from '../errors/index.js'
import type { BrowserHandle } from '../sessions/ports.js'
import type { ActionRecord } from './action-record.js'

/** What a rendered text may hold beside itself: references to secrets, made by our own rendering only. */
export interface ActionTexts {
  /** Renders a template; secrets come out as references. */
  render(template: string): string
  /** A copy with the secrets where our references stand; called at the moment of use, and never stored. */
  reveal<T>(value: T): Promise<T>
  /** A form that may be stored: references as `{{ KEY }}`, secrets that came back from a page replaced. */
  redact<T extends Json>(value: T): T
}

/** The files of a run as actions need them. */
export interface ActionFiles {
  /** Stores a picture; gives its artifact id. */
  saveScreenshot(picture: Buffer, format: 'png' | 'jpeg'): Promise<string>
  /**
   * The content that an `upload_file` action means, as a data address. An artifact id or a data address; never a path, as definitions
   * come from outside.
   */
  dataAddress(reference: string): Promise<string>
}

/** Everything that one block attempt lends to its actions. */
export interface ActionContext {
  readonly workflowRunId: string
  readonly runBlockId: string
  readonly blockLabel: string
  /** Aborts with the block: cancel, time-out, lost lease. */
  readonly signal: AbortSignal
  readonly texts: ActionTexts
  readonly files: ActionFiles
  /** The run's browser; starts it when it is not there yet. */
  browser(): Promise<BrowserHandle>
  /** Takes what is to be recorded. It must not throw, and nothing waits for it. */
  record(record: ActionRecord): void
}
