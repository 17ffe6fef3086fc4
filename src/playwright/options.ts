import { isAbsolute } from 'node:path'
import { z } from 'zod'

/** They would take a browser out of the driver's hands: its connection, its folder, its way to the network, what it loads. */
const RESERVED_ARGUMENT =
  /^--?(remote-debugging-\w+|user-data-dir|proxy-\w[\w-]*|no-proxy-server|load-extension|disable-extensions-except|crash-dumps-dir)(=|$)/

const program = z.string().min(1)

/** Schema of {@link PlaywrightDriverOptions}; unknown keys are refused. */
export const playwrightDriverOptionsSchema = z.strictObject({
  executablePath: z
    .union([program, z.strictObject({ chromium: program.optional(), chrome: program.optional(), msedge: program.optional() })])
    .optional(),
  args: z
    .array(
      z
        .string()
        .regex(/^--?\w/, 'an argument begins with -')
        .refine((argument) => !RESERVED_ARGUMENT.test(argument), { error: 'this argument is the driver’s own' }),
    )
    .default([]),
  extensions: z.record(z.string(), z.string().refine(isAbsolute, { error: 'expected an absolute path' })).default({}),
  chromiumSandbox: z.boolean().optional(),
  env: z.record(z.string().min(1), z.string()).default({}),
  locale: z.string().min(1).optional(),
  timezoneId: z.string().min(1).optional(),
  ignoreHttpsErrors: z.boolean().default(false),
})

/** Options of `PlaywrightDriver`; all of them hold for every browser that it launches. */
export interface PlaywrightDriverOptions {
  /**
   * The browser's program: one for every type, or one for each. Without it: `RUNWRIGHT_CHROMIUM` (`RUNWRIGHT_CHROME`, `RUNWRIGHT_MSEDGE`),
   * then the known names on `PATH`, then the platform's usual places (see `findChromium`).
   */
  readonly executablePath?:
    | string
    | { readonly chromium?: string | undefined; readonly chrome?: string | undefined; readonly msedge?: string | undefined }
    | undefined
  /**
   * Further arguments of the browser; those of a session come after them. Refused are those that the driver has to decide: `--user-data-dir`,
   * `--remote-debugging-*`, `--proxy-*`, `--load-extension` and their like. @default []
   */
  readonly args?: readonly string[] | undefined
  /** Unpacked extensions that sessions may ask for, by name: absolute paths of their folders. @default {} */
  readonly extensions?: Readonly<Record<string, string>> | undefined
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
