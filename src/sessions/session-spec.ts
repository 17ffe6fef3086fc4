import { sessionSpecSchema } from './options.js'

/** Parameters of a session to be made that say nothing about what its browser is like. */
const NOT_OF_THE_BROWSER: readonly string[] = ['timeoutMinutes', 'url', 'idleTimeoutMinutes', 'onBrowserLost']
/** Whatever else a spec can say shapes the browser: a new parameter can keep sessions apart by mistake, but never mix them up. */
const SHAPING = Object.keys(sessionSpecSchema.shape).filter((name) => !NOT_OF_THE_BROWSER.includes(name))

/** A text that is equal for two requests exactly if a browser that was made for one serves the other. */
export function specKey(request: Readonly<Record<string, unknown>>, defaults: { readonly headless: boolean }): string {
  const full: Readonly<Record<string, unknown>> = { ...request, headless: request.headless ?? defaults.headless }
  return canonical(Object.fromEntries(SHAPING.map((name) => [name, full[name]])))
}

/** JSON with sorted keys; what is undefined is left out. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : inner,
  )
}
