import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const project = fileURLToPath(new URL('../..', import.meta.url))
const bench = `${project}bench`

const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as { version?: string; dependencies?: Record<string, string> }

/** Installs the benchmarks' own dependencies where they are missing or of another version. */
export function installOnFirstUse(): void {
  const { dependencies = {} } = readJson(`${bench}/package.json`)
  const isThere = ([name, version]: [string, string]) => {
    const manifest = `${bench}/node_modules/${name}/package.json`
    return existsSync(manifest) && readJson(manifest).version === version
  }
  if (Object.entries(dependencies).every(isThere)) return
  process.stderr.write('Installing what the benchmarks need (bench/node_modules) …\n')
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: bench,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  })
}

/** Builds dist/ where a source is newer: what is measured is what is published. */
export function buildIfStale(): void {
  const { status, stdout } = spawnSync(process.execPath, [`${project}scripts/build-if-stale.mjs`], {
    cwd: project,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  process.stderr.write(stdout)
  if (status !== 0) throw new Error('dist/ could not be built')
}
