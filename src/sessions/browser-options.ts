import { z } from 'zod'
import { givenText } from '../storage/given-text.js'
import type { RecordingKind } from './recording.js'

/** A name that a host or its storage gave: never a path. */
const givenName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, { error: 'expected a name of letters, digits and ._-' })

const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100}$/
/** What the browser itself has to say: another value would break its connection, its cookies, or the site's view of where a request is from. */
const RESERVED_HEADER =
  /^(connection|content-length|cookie2?|host|keep-alive|origin|te|trailer|transfer-encoding|upgrade|proxy-.*|sec-.*)$/i

const headerValue = z
  .string()
  .max(8_192)
  .refine((value) => !/[^\t\x20-\x7e\x80-\xff]/.test(value), { error: 'expected a header value: no line breaks, no control characters' })

const isKnownToIntl = (use: () => unknown): boolean => {
  try {
    use()
    return true
  } catch {
    return false // a RangeError is Intl's way to say no
  }
}

/** What a session's browser is like, as `create` is given it. */
export const browserOptionsShape = {
  /**
   * Whether hosts that do not own it may `attach` to it: its DevTools listen on loopback, where every local user can read and drive the
   * browser without a password. @default false
   */
  attachable: z.boolean().default(false),
  /**
   * Whether browser and display outlive this host, for the next `start()` on this machine to adopt. Implies `attachable`; Linux only.
   * @default false
   */
  detached: z.boolean().default(false),
  /** Made from this profile: signed in where it was. */
  browserProfileId: givenText().optional(),
  /** Name of a proxy of the pool's `proxies`. */
  proxyLocation: givenText(200).optional(),
  /** Names of extensions that the driver knows. */
  extensions: z.array(givenName).max(50).default([]),
  /** Sent with every request, to every site that the browser asks. */
  extraHttpHeaders: z
    .record(
      z.string().refine((name) => HEADER_NAME.test(name) && !RESERVED_HEADER.test(name), {
        error: 'expected a header that is not the browser’s own',
      }),
      headerValue,
    )
    .optional(),
  /** Language and formats of pages, for example `de-CH`. @default the driver's */
  locale: z
    .string()
    .refine((value) => value !== '' && isKnownToIntl(() => Intl.getCanonicalLocales(value)), { error: 'expected a locale such as en-GB' })
    .optional(),
  /** For example `Europe/Paris`. @default the driver's */
  timezoneId: z
    .string()
    .refine((value) => isKnownToIntl(() => new Intl.DateTimeFormat('en', { timeZone: value })), {
      error: 'expected a time zone such as Europe/Paris',
    })
    .optional(),
  /**
   * What stays of its state when it ends, as an artifact of the session, for `createProfile`: what sites stored (`snapshot`), or the whole
   * user-data folder (`directory`). @default 'snapshot', 'none' for private sessions
   */
  keepState: z.enum(['none', 'snapshot', 'directory']).optional(),
  /**
   * What is recorded while it lives, and stored as artifacts of the session when it ends. Nothing is redacted in them: what the pages and
   * their requests show is there, secrets included.
   */
  record: z
    .strictObject({
      /** The pages as WebM; needs Playwright's ffmpeg. @default false */
      video: z.boolean().default(false),
      /** For Playwright's trace viewer. @default false */
      trace: z.boolean().default(false),
      /** Requests and answers with their headers, without bodies. @default false */
      har: z.boolean().default(false),
      /** What pages wrote to the console, and their uncaught errors, as JSON lines, 10 MiB at most. @default false */
      consoleLog: z.boolean().default(false),
    })
    .optional(),
}

export type RecordOptions = z.output<NonNullable<(typeof browserOptionsShape)['record']>>

/** The recordings that were asked for. Pure. */
export function recordingKinds(record: RecordOptions): readonly RecordingKind[] {
  const wanted: readonly (readonly [RecordingKind, boolean | undefined])[] = [
    ['video', record?.video],
    ['trace', record?.trace],
    ['har', record?.har],
    ['console_log', record?.consoleLog],
  ]
  return wanted.flatMap(([kind, isWanted]) => (isWanted === true ? [kind] : []))
}

/** The same request, as far as it says what a browser is like. */
export interface BrowserOptions {
  readonly attachable?: boolean | undefined
  readonly detached?: boolean | undefined
  readonly browserProfileId?: string | undefined
  readonly proxyLocation?: string | undefined
  readonly extensions: readonly string[]
  readonly extraHttpHeaders?: Readonly<Record<string, string>> | undefined
  readonly locale?: string | undefined
  readonly timezoneId?: string | undefined
  readonly keepState?: 'none' | 'snapshot' | 'directory' | undefined
  readonly record?: RecordOptions
}
