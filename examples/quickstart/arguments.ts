import { parseArgs } from 'node:util'
import { STORAGES, type StorageName } from './storages.js'

export interface QuickstartArguments {
  readonly json: boolean
  readonly hold: boolean
  readonly help: boolean
  /** The third run waits for the session instead of being refused. */
  readonly wait: boolean
  /** Only shows earlier runs. */
  readonly list: boolean
  readonly storage: StorageName
  /** Address of a Postgres; without one, `--storage postgres` starts its own. */
  readonly postgresUrl: string | undefined
  /** Port of the live view. 0: a free one. */
  readonly port: number
  /** File of the picture of the page at work. */
  readonly screenshot: string
}

export const usage = `npm run quickstart -- [--storage NAME] [--wait] [--list] [--json] [--hold] [--port N] [--screenshot FILE]

  --storage NAME     pglite (embedded and kept, the default), memory or postgres
  --postgres-url URL  the server that --storage postgres uses instead of one of its own
  --wait             the third run waits for the session that the second holds, instead of being refused
  --list             shows earlier runs, and starts none
  --json             prints the results as one JSON object on the last line
  --hold             keeps the live view open until Enter
  --port N           port of the live view (default: a free one)
  --screenshot FILE  where the picture of the page at work goes (default: .quickstart/page.png)`

/** Reads the command line; what does not fit is thrown as a plain message. */
export function parseArguments(argv: readonly string[]): QuickstartArguments {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      json: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      wait: { type: 'boolean', default: false },
      storage: { type: 'string', default: 'pglite' },
      'postgres-url': { type: 'string' },
      hold: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
      port: { type: 'string', default: '0' },
      screenshot: { type: 'string', default: '.quickstart/page.png' },
    },
  })
  const port = Number(values.port)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error(`--port takes a number from 0 to 65535, not "${values.port}"`)
  const storage = STORAGES.find((name) => name === values.storage)
  if (storage === undefined) throw new Error(`--storage takes one of ${STORAGES.join(', ')}, not "${values.storage}"`)
  return {
    list: values.list,
    wait: values.wait,
    storage,
    postgresUrl: values['postgres-url'],
    json: values.json,
    hold: values.hold,
    help: values.help,
    port,
    screenshot: values.screenshot,
  }
}
