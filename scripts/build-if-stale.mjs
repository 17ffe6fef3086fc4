// Builds dist/ when a source is newer: without types, which take most of the time, unless it is called with --types.
import { spawn } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

// Run from the project, except by the test, which passes a folder of its own.
const root = process.argv.slice(2).find((argument) => argument !== '--types') ?? dirname(dirname(fileURLToPath(import.meta.url)))
const withTypes = process.argv.includes('--types')

if (isStale(root)) process.exitCode = await build(root)

function isStale(root) {
  const builtAt = modifiedAt(join(root, withTypes ? 'dist/index.d.ts' : 'dist/index.js'))
  if (builtAt === undefined) return true
  const inputs = ['package.json', 'tsup.config.ts', ...filesIn(root, 'src')]
  return inputs.some((path) => (modifiedAt(join(root, path)) ?? 0) > builtAt)
}

function modifiedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs
}

/** Folders are listed too: removing a file changes only the folder's time. */
function filesIn(root, folder) {
  const entries = readdirSync(join(root, folder), { withFileTypes: true })
  return [folder, ...entries.flatMap((entry) => (entry.isDirectory() ? filesIn(root, join(folder, entry.name)) : join(folder, entry.name)))]
}

async function build(root) {
  const startedAt = performance.now()
  const { status, output } = await runTsup(root)
  if (status === 0) {
    console.log(`Building dist … ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
    return 0
  }
  console.error(`${output}\nBuilding dist failed.`)
  return 1
}

function runTsup(root) {
  const env = { ...process.env, RUNWRIGHT_BUILD_TYPES: String(withTypes) }
  const child = spawn(process.execPath, [join(root, 'node_modules/tsup/dist/cli-default.js')], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  child.stderr.on('data', (chunk) => {
    output += chunk
  })
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ status: 1, output: error.message }))
    child.once('close', (status) => resolve({ status, output }))
  })
}
