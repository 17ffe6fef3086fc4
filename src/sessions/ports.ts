import type { Action, Selectors, Target } from '../definition/index.js'
import type { Json } from '../errors/index.js'
import type { BrowserState } from './browser-state.js'
import type { RecordedFile, RecordingKind } from './recording.js'

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
  /** Name of the file when the address was a download: the page is where it was. Left out where it was none. */
  readonly download?: string
}

/** A dialog that a page showed, and how it was answered. */
export interface PageDialog {
  readonly type: 'alert' | 'confirm' | 'prompt' | 'beforeunload'
  /** At most 1,000 characters of it. */
  readonly message: string
  readonly accepted: boolean
}

/** How a dialog is answered; `text` is for prompts. */
export interface DialogAnswer {
  readonly accept: boolean
  readonly text?: string | undefined
}

/** A page as somebody who cannot see it is told of it. */
export interface PageObservation {
  readonly url: string
  readonly title: string
  /** Accessibility tree as text: roles, names, states, values (of password fields never), with a `[ref=…]` at each element. */
  readonly snapshot: string
  /** Whether the tree was longer than the limit. */
  readonly truncated: boolean
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
  /**
   * Finds the element of a target without acting on it, and notes what it is. Rejects like `perform`: `TARGET_NOT_FOUND` when nothing
   * has matched by the deadline, `TARGET_AMBIGUOUS` for several, `ACTION_BLOCKED` for one behind a blinder.
   */
  locate(target: Target, options: PageOperationOptions): Promise<ElementDescriptor>
  /** The page as text, of at most so many characters; what blinders hide is left out. */
  observe(params: { readonly maxChars: number }, options: PageOperationOptions): Promise<PageObservation>
  /** A short text that differs when the page looks different: address, what it shows, what its fields hold. */
  fingerprint(options: PageOperationOptions): Promise<string>
  /** How the dialogs that come from here on are answered; null: they are dismissed, as at first. */
  answerDialogs(answer: DialogAnswer | null): void
  /** The dialogs since the last call, oldest first, at most 20. */
  takeDialogs(): readonly PageDialog[]
  /** Addresses of its frames, the main one first. */
  frameUrls(): readonly string[]
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
  /** Put back before anybody sees a page. Left out, or null: nothing. */
  readonly state?: BrowserState | null
  /** Whether the folder was in use already, so that only what it lacks of `state` is put back: what it has goes first. */
  readonly fillsState?: boolean
  /** Whether the folder is this session's alone, so that a lock on the profile that names another machine is only left over from there. */
  readonly ownsDirectory?: boolean
  /** Null: none. */
  readonly proxy?: UpstreamProxy | null
  /** Names of extensions that the driver knows. */
  readonly extensions?: readonly string[]
  readonly extraHttpHeaders?: Readonly<Record<string, string>> | undefined
  /** Over the driver's own. */
  readonly locale?: string | undefined
  /** Over the driver's own. */
  readonly timezoneId?: string | undefined
  /** What is recorded from the start. */
  readonly record?: readonly RecordingKind[]
  /** Whether its DevTools listen on loopback, where any user of the machine can use them. */
  readonly attachable?: boolean
  /** Whether it outlives this process: nothing ties it to us, and `adopt` of another process can take it over. Attachable then. */
  readonly detached?: boolean
}

/** A browser that a process that is gone has launched as `detached`. */
export interface AdoptSpec extends LaunchSpec {
  /** As `BrowserHandle.browserAddress` was: whoever answers there is that browser, or nobody is. */
  readonly browserAddress: string
  /** As `BrowserHandle.process` was. */
  readonly process: ProcessIdentity
}

/** A browser of this machine, as its processes tell of it. */
export interface RunningBrowser {
  /** `LaunchSpec.directory` of its launch. */
  readonly directory: string
  readonly processes: readonly ProcessIdentity[]
}

/** A browser that somebody else has started. */
export interface ConnectSpec {
  readonly browserSessionId: string
  /** DevTools address: `http://127.0.0.1:9222`, or `ws://…`. */
  readonly browserAddress: string
  readonly downloadsDirectory: string
}

/** Something that a browser asked the network for and did not get. */
export interface BlockedRequest {
  readonly host: string
  readonly port: number
  /** Which rule refused it. */
  readonly rule: string
  readonly reason: string
  /** The whole address, where it is known: the proxy sees host and port only. */
  readonly url?: string
}

/** Why something may not be reached. */
export interface NetworkRefusal {
  readonly rule: string
  readonly reason: string
}

/** Decides what a browser may reach; made by `actions/`, and opaque to the pool. */
export interface NetworkPolicy {
  /** Asked with the name before it is resolved, then again with each address that it came to. Null: it may. */
  check(target: { readonly host: string; readonly port: number; readonly address?: string }): NetworkRefusal | null
  /** Told of everything that was refused. It must not throw. */
  onBlocked(request: BlockedRequest): void
}

/** Where a browser's traffic goes on to. */
export interface UpstreamProxy {
  /** `http://host:port` or `socks5://host:port`. */
  readonly server: string
  readonly username?: string
  readonly password?: string
}

/** The guarded way of one browser to the network. */
export interface GuardedNetwork {
  /** Of its listener on loopback. */
  readonly port: number
  /** Arguments that make a browser use it for everything that it sends. */
  readonly launchArgs: readonly string[]
  /** Whose connections are accepted: those of this process and its descendants. None before that. */
  admit(process: ProcessIdentity): void
  /** The policy from here on; null: everything may be reached. Connections that a new policy refuses are cut. */
  apply(policy: NetworkPolicy | null): void
  close(): Promise<void>
}

/** Port to what stands between browsers and the network. */
export interface NetworkGuard {
  /** @param params.port - the same as before, for a browser that is adopted; any free one by default */
  open(params: {
    readonly browserSessionId: string
    readonly port?: number
    readonly upstream?: UpstreamProxy | null
  }): Promise<GuardedNetwork>
}

/** What tells a process from every other one of its machine, past and future. */
export interface ProcessIdentity {
  readonly pid: number
  /** Start time in clock ticks since boot (`/proc/<pid>/stat`, field 22); null where it cannot be read. */
  readonly startTime: string | null
}

/** What is taken away from a browser. */
export interface SanitizeParams {
  readonly cookies: boolean
  /** Of every site: localStorage, sessionStorage, IndexedDB, Cache Storage, service workers. */
  readonly storage: boolean
  /** All pages but for a new, empty one. */
  readonly tabs: boolean
  /** The HTTP cache. */
  readonly caches: boolean
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
  /**
   * Takes away what the next holder is not to find; in this order: pages, caches, cookies, storage. Rejects when not all of it could be
   * done: what is in the browser is not known then. Left out by browsers that cannot.
   */
  sanitize?(params: SanitizeParams, options: PageOperationOptions): Promise<void>
  /** Resident memory of all its processes, in bytes; null where it cannot be read. */
  memory?(): Promise<number | null>
  /** Called once, with the reason, when the browser is gone without `close` or `kill`. */
  onLost(listener: (reason: string) => void): () => void
  onDownload(listener: (download: PageDownload) => void): () => void
  /**
   * CSS selectors whose elements are hidden in every page and frame, present and future, and refused as targets. An empty list ends it.
   * The same list again costs nothing.
   */
  setBlinders(selectors: readonly string[], options: PageOperationOptions): Promise<void>
  /**
   * Has the requests of pages judged by a policy, for a browser that does not go through a `NetworkGuard`; null ends it. Left out by
   * browsers that cannot: WebSockets, WebRTC and the traffic of other clients are never covered.
   */
  guardRequests?(policy: NetworkPolicy | null, options: PageOperationOptions): Promise<void>
  /** What sites have stored in it. Left out by browsers that cannot tell. */
  snapshot?(options: PageOperationOptions): Promise<BrowserState>
  /** Ends a recording of `LaunchSpec.record` and gives its files, which lie in the session's folder. Left out by browsers that cannot. */
  finishRecording?(kind: RecordingKind, options: PageOperationOptions): Promise<readonly RecordedFile[]>
  /** Whether it has closed by itself, so that its user-data folder is whole; not when it was killed or is still there. */
  readonly isClosedCleanly?: boolean
  /** Ends it cleanly; resolves when its process is gone. */
  close(options: PageOperationOptions): Promise<void>
  /** Kills its whole process tree; resolves when it is gone. */
  kill(): Promise<void>
  /** Lets go of a browser that was launched as `detached`: it runs on, and is nothing to us. Left out by all others. */
  detach?(): Promise<void>
}

/** Port to a browser technology. */
export interface BrowserDriver {
  readonly name: string
  /** Loads what the first launch, or the first attaching, would have to wait for. Part of a pool's start, which its failure does not stop. */
  prepare?(): Promise<void>
  /** Rejects with `BrowserLaunchError`; after a rejection no process of it is left. */
  launch(spec: LaunchSpec, options: PageOperationOptions): Promise<BrowserHandle>
  /** Attaches to a browser that runs already; its `close` and `kill` only detach. Left out by drivers that cannot. */
  connect?(spec: ConnectSpec, options: PageOperationOptions): Promise<BrowserHandle>
  /**
   * Takes over a browser that was launched as `detached`: as if we had launched it. Rejects with `BrowserLaunchError` when it does not
   * answer, or is another one; it is left as it is then. Left out by drivers that cannot; they cannot launch such browsers either.
   */
  adopt?(spec: AdoptSpec, options: PageOperationOptions): Promise<BrowserHandle>
  /** The browsers of this driver that run on this machine, whoever has launched them. */
  running?(): Promise<readonly RunningBrowser[]>
  /** Kills what is left of the browser of a folder, each process by id and start time; resolves to how many there were. */
  endLeft?(params: { readonly directory: string; readonly process: ProcessIdentity | null }): Promise<number>
}
