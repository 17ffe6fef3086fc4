// Runs a TypeScript example in this very process, on the built package: node scripts/run-example.mjs FILE [ARGUMENT…]
import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const [file, ...rest] = process.argv.slice(2)
if (file === undefined) {
  console.error('usage: node scripts/run-example.mjs FILE [ARGUMENT…]')
  process.exit(2)
}
process.env.TSX_DISABLE_CACHE = '1' // it would leave a folder among the temporary files
process.env.TSX_TSCONFIG_PATH = fileURLToPath(new URL('../examples/tsconfig.run.json', import.meta.url))
process.argv = [process.argv[0] ?? 'node', resolve(file), ...rest]
await import('tsx')
await import(pathToFileURL(resolve(file)).href)
