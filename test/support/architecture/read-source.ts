import { readdirSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'

/** The text of every TypeScript and JavaScript file below a folder, by path relative to it. */
export function readSource(folder: string): Map<string, string> {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => /\.[cm]?[jt]sx?$/.test(path))
  return new Map(paths.sort().map((path) => [path.split(sep).join('/'), readFileSync(join(folder, path), 'utf8')]))
}
