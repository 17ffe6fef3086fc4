/** What the files of a room may import from other rooms. A room is a folder of `src/`. */
export interface RoomRule {
  /** Rooms whose code may be loaded. */
  readonly values: readonly string[] | 'anything'
  /** Rooms of which only types may be used, by `import type`. */
  readonly types?: readonly string[]
}

const storageAndBelow = ['storage', 'runtime', 'errors', 'events']

/** Which room may import which; the table in ARCHITECTURE.md says what each one holds. */
export const house: Readonly<Record<string, RoomRule>> = {
  runtime: { values: [] },
  errors: { values: [] },
  events: { values: ['runtime', 'errors'] },
  definition: { values: ['runtime', 'errors'] },
  storage: { values: ['runtime', 'errors', 'events'] },
  streaming: { values: storageAndBelow },
  sessions: { values: storageAndBelow, types: ['definition', 'streaming'] },
  actions: { values: ['definition', ...storageAndBelow], types: ['sessions'] },
  // events: a block's output holds the downloaded files of a run's result, whose schema is the events'.
  blocks: { values: ['definition', 'actions', 'runtime', 'errors', 'events'] },
  scripts: { values: ['definition', 'actions', ...storageAndBelow] },
  engine: { values: ['definition', 'blocks', 'scripts', 'actions', ...storageAndBelow], types: ['sessions', 'streaming'] },
  debug: { values: storageAndBelow, types: ['engine', 'sessions'] },
  // What it implements are the ports of sessions/ and streaming/; targets and selectors come from definition/.
  playwright: { values: ['runtime', 'errors', 'definition'], types: ['sessions', 'streaming'] },
  postgres: { values: ['storage', 'runtime', 'errors'], types: ['events'] },
  http: { values: ['definition', 'errors'], types: ['engine', 'sessions', 'streaming', 'debug'] },
  testing: { values: 'anything' },
  index: {
    values: [
      ...['runtime', 'errors', 'events', 'definition', 'storage', 'streaming', 'sessions'],
      ...['actions', 'blocks', 'scripts', 'engine', 'debug'],
    ],
  },
}

/** The viewer's scripts: they run in a browser, so they import only each other and what is served beside them. */
export const browserFolder = 'http/public/'

export interface PackageRule {
  /** Rooms, or files, that may load it. */
  readonly at: readonly string[] | 'anywhere'
  /** Rooms that may use its types only. */
  readonly typesAt?: readonly string[]
  /** An optional peer: loaded by a dynamic import only, so that the entry loads without it. */
  readonly isLazy?: boolean
}

/** Where each package may be imported. One that is not listed may not be imported at all: add it here, saying where. */
export const packages: Readonly<Record<string, PackageRule>> = {
  zod: {
    at: [
      ...['events', 'definition', 'storage', 'streaming', 'sessions', 'actions', 'blocks', 'scripts', 'engine', 'debug'],
      ...['playwright', 'postgres', 'http', 'testing'],
    ],
    typesAt: ['errors'],
  },
  'playwright-core': { at: ['playwright'], isLazy: true },
  pg: { at: ['postgres'], isLazy: true },
  '@electric-sql/pglite': { at: ['postgres'], isLazy: true },
  eventemitter3: { at: ['events'] },
  'p-queue': { at: ['engine/dispatcher.ts', 'sessions/launch-queue.ts'] },
  tar: { at: ['sessions/profiles/profile-archive.ts'] },
  ulid: { at: ['runtime'] },
  ws: { at: ['streaming', 'http', 'playwright/devtools-client.ts'] },
  '@huggingface/jinja': { at: ['definition'] },
  '@cfworker/json-schema': { at: ['definition'] },
  tldts: { at: ['actions'] },
  'ipaddr.js': { at: ['actions'] },
}

/** Things of the platform that only `runtime/` touches; everybody else is handed a clock, ids and a random source. */
export const runtimeOnly: readonly string[] = [
  ...['Date.now', 'performance.now', 'process.hrtime', 'process.uptime', 'AbortSignal.timeout'],
  ...['setTimeout', 'setInterval', 'setImmediate', 'scheduler.wait'],
  ...['Math.random', 'crypto.randomUUID', 'crypto.randomBytes', 'crypto.randomInt', 'crypto.getRandomValues'],
]

/** Files outside `runtime/` that may touch some of those, and why. */
export const runtimeOnlyExceptions: Readonly<Record<string, readonly string[]>> = {
  // FakeClock lets the real event loop turn between the timers that it fires.
  'testing/fake-clock.ts': ['setImmediate'],
}

/** A library never ends its host's process, handles its signals or writes to its terminal. */
export const neverInSource: readonly string[] = [
  ...['console', 'process.stdout', 'process.stderr'],
  ...['process.on', 'process.once', 'process.addListener', 'process.prependListener', 'process.exit', 'process.abort', 'process.exitCode'],
]

/** The one file that handles signals: a helper that a host calls when it wants that. */
export const neverInSourceExceptions: Readonly<Record<string, readonly string[]>> = {
  'engine/close-on-signals.ts': ['process.on', 'process.once'],
}
