/** What a display should be like. */
export interface DisplayParams {
  readonly browserSessionId: string
  /** Size of the page; null: a window of 1280 × 720 in which the page takes what is left. */
  readonly viewport: { readonly width: number; readonly height: number } | null
  /** What the browser's own bars take above the page, in pixels; 144 where an information bar stays. @default 90 */
  readonly browserBarsHeight?: number
  /** Pictures a second at the most, 1 to 60. @default 30 */
  readonly frameRate?: number
  /** Whether programs on the display may use GLX. @default false, which saves 55 MB a display */
  readonly glx?: boolean
  /** Whether it outlives this process, for `adopt` of another. @default false */
  readonly detached?: boolean
}

/** A running display: one X server with its VNC endpoint. */
export interface Display {
  readonly backend: DisplayBackendKind
  readonly displayNumber: number
  /** In pixels. */
  readonly width: number
  readonly height: number
  /** For the browser's environment, and nobody else's. */
  readonly env: Readonly<{ DISPLAY: string; XAUTHORITY: string }>
  /** Arguments with which Chromium fills the display. */
  readonly launchArgs: readonly string[]
  /** Path of the unix socket that speaks RFB. */
  readonly rfbSocketPath: string
  /** Private directory of the display, mode 0700. */
  readonly directory: string
  readonly pids: readonly number[]
  /** Called once when it is gone without `stop`. */
  onExit(listener: (reason: string) => void): () => void
  /** Ends its processes and removes its directory; idempotent. */
  stop(): Promise<void>
  /** Lets go of a detached one: it runs on, and is nothing to this process. Left out by all others. */
  leave?(): void
}

/** The ways of making displays. */
export type DisplayBackendKind = 'xvnc' | 'xvfb+x11vnc' | 'cdp'

/** What a backend found on this machine. */
export type DisplayProbe =
  | { readonly available: true; readonly program: string }
  /** Says which program is missing, and the package and command that bring it. */
  | { readonly available: false; readonly program: string; readonly reason: string; readonly installCommand: string | null }

/** Port to a way of making displays. */
export interface DisplayBackend {
  readonly kind: DisplayBackendKind
  probe(): Promise<DisplayProbe>
  start(params: DisplayParams, signal: AbortSignal): Promise<Display>
  /** Takes over a detached display whose host is gone. Left out by backends that cannot. */
  adopt?(params: { readonly directory: string; readonly browserSessionId: string }, signal: AbortSignal): Promise<Display>
}
