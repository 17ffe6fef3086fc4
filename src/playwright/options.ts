import { z } from 'zod'

/** Schema of {@link PlaywrightDriverOptions}; unknown keys are refused. */
export const playwrightDriverOptionsSchema = z.strictObject({
  executablePath: z.string().min(1).optional(),
  args: z.array(z.string().regex(/^--?\w/, 'an argument begins with -')).default([]),
  chromiumSandbox: z.boolean().optional(),
  env: z.record(z.string().min(1), z.string()).default({}),
  locale: z.string().min(1).optional(),
  timezoneId: z.string().min(1).optional(),
  ignoreHttpsErrors: z.boolean().default(false),
})

/** Options of `PlaywrightDriver`; all of them hold for every browser that it launches. */
export interface PlaywrightDriverOptions {
  /** The browser's program. Without it: `RUNWRIGHT_CHROMIUM`, then the known names on `PATH` (see `findChromium`). */
  readonly executablePath?: string | undefined
  /** Further arguments of the browser; those of a session come after them. @default [] */
  readonly args?: readonly string[] | undefined
  /** Whether Chromium's sandbox is on. @default true, unless the host runs as root, where Chromium refuses it */
  readonly chromiumSandbox?: boolean | undefined
  /** Further environment of the browser. It does not inherit the host's, but for what a desktop program needs (see `browserEnvironment`). @default {} */
  readonly env?: Readonly<Record<string, string>> | undefined
  /** For example `en-GB`: language and formats of pages. Without it, the browser's own. */
  readonly locale?: string | undefined
  /** For example `Europe/Paris`. Without it, the host's. */
  readonly timezoneId?: string | undefined
  /** Whether invalid certificates are accepted. @default false */
  readonly ignoreHttpsErrors?: boolean | undefined
}

/** Parsed options, defaults filled in. */
export type PlaywrightDriverSettings = z.output<typeof playwrightDriverOptionsSchema>
