import type { DisplayParams } from './display.js'

/** In pixels. */
export interface DisplaySize {
  readonly width: number
  readonly height: number
}

/** Window without a viewport, in pixels. */
const DEFAULT_WINDOW = { width: 1280, height: 720 }
/** Height of Chromium's tab strip and toolbar: 87, measured with Chromium 156, and a little for its successors. */
const BARS_HEIGHT = 90

/** Size of the display on which a browser shows a page of the wanted viewport whole. */
export function displaySize(params: Pick<DisplayParams, 'viewport' | 'browserBarsHeight'>): DisplaySize {
  if (params.viewport === null) return DEFAULT_WINDOW
  return { width: params.viewport.width, height: params.viewport.height + (params.browserBarsHeight ?? BARS_HEIGHT) }
}

/** Arguments with which Chromium fills a display of that size. */
export function chromiumDisplayArgs(size: DisplaySize): readonly string[] {
  return ['--ozone-platform=x11', '--window-position=0,0', `--window-size=${size.width},${size.height}`]
}
