import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root of this project. */
export const project = fileURLToPath(new URL('../../../', import.meta.url))

/** A file of the tarball. */
export interface PackedFile {
  readonly path: string
  readonly size: number
}

/** The tarball that would be published. */
export interface Tarball {
  readonly file: string
  readonly size: number
  readonly unpackedSize: number
  readonly files: readonly PackedFile[]
}

/** What a program that was run to its end came to. */
export interface Finished {
  readonly status: number | null
  readonly output: string
}

/** An empty project in a temporary folder, which installs the package as a user would. */
export class Consumer {
  readonly folder = mkdtempSync(join(tmpdir(), 'runwright-package-'))
  readonly #app = join(this.folder, 'app')

  constructor() {
    mkdirSync(this.#app)
    this.write('package.json', JSON.stringify({ name: 'consumer', private: true }))
  }

  pack(): Tarball {
    const { output } = run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', this.folder], project)
    const [{ filename, size, unpackedSize, files }] = JSON.parse(output.slice(output.indexOf('[')))
    return { file: join(this.folder, filename), size, unpackedSize, files }
  }

  install(...packages: readonly string[]): void {
    const { status, output } = run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...packages], this.#app)
    if (status !== 0) throw new Error(`npm install ${packages.join(' ')} ended with ${status}:\n${output}`)
  }

  write(path: string, text: string): void {
    writeFileSync(join(this.#app, path), text)
  }

  read(path: string): string {
    return readFileSync(join(this.#app, path), 'utf8')
  }

  /** Writes a program and runs it. */
  node(path: string, text: string): Finished {
    this.write(path, text)
    return run(process.execPath, [path], this.#app)
  }

  /** Type-checks a file as a strict project would that skips no declarations. Node's types are this project's. */
  typecheck(path: string, text: string): Finished {
    this.write(path, text)
    const options = { strict: true, noEmit: true, skipLibCheck: false, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true }
    const compilerOptions = {
      ...options,
      target: 'es2023',
      module: 'nodenext',
      types: ['node'],
      typeRoots: [`${project}node_modules/@types`],
    }
    this.write('tsconfig.json', JSON.stringify({ compilerOptions, files: [path] }))
    return run(process.execPath, [`${project}node_modules/typescript/lib/tsc.js`], this.#app)
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** The version of a package that this project is tested with. */
export function pinned(name: string): string {
  const { devDependencies } = JSON.parse(readFileSync(`${project}package.json`, 'utf8'))
  return `${name}@${devDependencies[name]}`
}

/** Without npm's own variables, which would carry the settings of the surrounding `npm run` into the empty project. */
function run(command: string, args: readonly string[], cwd: string): Finished {
  const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^(npm_|node_env$|vitest)/i.test(key)))
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  if (error !== undefined) throw error
  return { status, output: command === 'npm' && args[0] === 'pack' ? stdout : `${stdout}${stderr}` }
}
