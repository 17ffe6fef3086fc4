import type { Action, Selectors, Target } from '../definition/index.js'
import type { Json } from '../errors/index.js'

/** Every operation on a page is bounded: `timeoutMs` and `signal`, whichever comes first. */
export interface PageOperationOptions {
  readonly signal: AbortSignal
  /** In milliseconds, from the call. */
  readonly timeoutMs: number
}

/** The kinds of action that one call of {@link PageDriver.perform} carries out on one element or on the page. */
export type PageInteraction = Extract<
  Action,
  {
    type:
      | 'click'
      | 'hover'
      | 'input_text'
      | 'select_option'
      | 'check'
      | 'uncheck'
      | 'press_key'
      | 'upload_file'
      | 'drag_and_drop'
      | 'scroll'
  }
>

/** Where a navigation ended. */
export interface NavigationResult {
  readonly url: string
  readonly title: string
  /** Status of the main document; null where there was no response (about:, data:, same document). */
  readonly httpStatus: number | null
}

/** What can be waited for. */
export type WaitCondition =
  | { readonly target: Target; readonly state: 'visible' | 'hidden' | 'attached' | 'detached' }
  | { readonly url: string }
  | { readonly text: string }
  | { readonly loadState: 'load' | 'domcontentloaded' | 'networkidle' }

/** What a target is like: of the first match, but for `count`. */
export interface TargetState {
  readonly count: number
  readonly visible: boolean
  /** Null where nothing matches. */
  readonly enabled: boolean | null
  /** Null where nothing matches, or for an element that cannot be checked. */
  readonly checked: boolean | null
  /** Value of a form field; null for other elements. */
  readonly value: string | null
  /** Trimmed text; null where nothing matches. */
  readonly text: string | null
}

/** An element as it was when it was acted on: several ways to find it again. */
export interface ElementDescriptor {
  readonly tag: string
  readonly role: string | null
  readonly name: string | null
  /** Most stable first. */
  readonly targets: readonly Target[]
}

/** What a picture of a page shows, and how. */
export interface ScreenshotParams {
  /** @default 'png' */
  readonly format?: 'png' | 'jpeg'
  /** 1 to 100, jpeg only. */
  readonly quality?: number
  readonly fullPage?: boolean
  /** Only this element. */
  readonly target?: Target | undefined
}

/** A file that a page is downloading. */
export interface PageDownload {
  readonly suggestedFilename: string
  readonly url: string
  /** Waits for the end and gives the path of the file in the session's own folder; rejects when the download failed. */
  path(options: PageOperationOptions): Promise<string>
}

/**
 * Port to one page (a tab). Errors are `ActionError`s; an abort rejects with the signal's reason and has stopped what can be stopped.
 * Only the `ActionRouter` calls it.
 */
export interface PageDriver {
  /** Unique within its browser. */
  readonly pageId: string
  url(): string
  isClosed(): boolean
  title(options: PageOperationOptions): Promise<string>
  navigate(url: string, options: PageOperationOptions): Promise<NavigationResult>
  goBack(options: PageOperationOptions): Promise<NavigationResult>
  reload(options: PageOperationOptions): Promise<NavigationResult>
  /** Finds the element (attached, visible, stable, enabled) and acts on it. */
  perform(interaction: PageInteraction, options: PageOperationOptions): Promise<{ readonly element: ElementDescriptor | null }>
  waitFor(condition: WaitCondition, options: PageOperationOptions): Promise<void>
  /** Waits until what the last action set off has come to rest, at most about a second; never rejects but for an abort. */
  settle(options: PageOperationOptions): Promise<void>
  /** What the target is like now, without waiting; `count` 0 when nothing matches. */
  inspect(target: Target, options: PageOperationOptions): Promise<TargetState>
  /** Whether an element that meets the target is visible now. */
  isVisible(target: Target, options: PageOperationOptions): Promise<boolean>
  /** Trimmed text of the first match. */
  textOf(target: Target, options: PageOperationOptions): Promise<string>
  /** Reads the page by the selectors grammar; a required field without a match rejects with `EXTRACTION_FAILED`, naming field and selector. */
  extract(selectors: Selectors, options: PageOperationOptions): Promise<Json>
  /** Runs a JavaScript expression or function text in the page; the value must be JSON. */
  evaluate(source: string, argument: Json | undefined, options: PageOperationOptions): Promise<Json>
  content(options: PageOperationOptions): Promise<string>
  screenshot(params: ScreenshotParams, options: PageOperationOptions): Promise<Buffer>
  bringToFront(options: PageOperationOptions): Promise<void>
  close(options: PageOperationOptions): Promise<void>
  /** The implementation's own page object (Playwright's `Page`). */
  native(): unknown
}

/** What to launch. */
export interface LaunchSpec {
  readonly browserSessionId: string
  readonly browserType: 'chromium' | 'chrome' | 'msedge'
  readonly headless: boolean
  /** Null: as large as the window. */
  readonly viewport: { readonly width: number; readonly height: number } | null
  /** Further arguments for the browser, for example those of a display. */
  readonly launchArgs: readonly string[]
  /** Further environment of the browser's process: DISPLAY and XAUTHORITY. */
  readonly env: Readonly<Record<string, string>>
  /** The session's own folder: TMPDIR, user data and downloads live below it; the pool removes it after the process is gone. */
  readonly directory: string
  readonly downloadsDirectory: string
}

/** What tells a process from every other one of its machine, past and future. */
export interface ProcessIdentity {
  readonly pid: number
  /** Start time in clock ticks since boot (`/proc/<pid>/stat`, field 22); null where it cannot be read. */
  readonly startTime: string | null
}

/** A running browser. */
export interface BrowserHandle {
  readonly process: ProcessIdentity | null
  /** DevTools address; null for a browser over a pipe. */
  readonly browserAddress: string | null
  /** Open pages, oldest first. */
  pages(): readonly PageDriver[]
  /** The page that actions go to: the one opened or brought to front last; opens one where there is none. */
  activePage(options: PageOperationOptions): Promise<PageDriver>
  newPage(options: PageOperationOptions): Promise<PageDriver>
  /** Rejects, or does not settle in time, when the browser is dead. */
  probe(options: PageOperationOptions): Promise<void>
  /** Called once, with the reason, when the browser is gone without `close` or `kill`. */
  onLost(listener: (reason: string) => void): () => void
  onDownload(listener: (download: PageDownload) => void): () => void
  /** Ends it cleanly; resolves when its process is gone. */
  close(options: PageOperationOptions): Promise<void>
  /** Kills its whole process tree; resolves when it is gone. */
  kill(): Promise<void>
}

/** Port to a browser technology. */
export interface BrowserDriver {
  readonly name: string
  /** Rejects with `BrowserLaunchError`; after a rejection no process of it is left. */
  launch(spec: LaunchSpec, options: PageOperationOptions): Promise<BrowserHandle>
}
