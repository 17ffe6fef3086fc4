/** Facts that go with a log line. */
export type LogFields = Readonly<Record<string, unknown>>

/** Port to the host's logger; pino, winston and `console` fit with a one-line wrapper. Secrets never reach it. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

const nothing = () => {}

/** Says nothing: the default, as a library does not write to somebody else's console. */
export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing }
