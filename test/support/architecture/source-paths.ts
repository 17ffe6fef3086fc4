import { posix } from 'node:path'

/** The room of a file: its first folder, or its own name for a file of `src/` itself. */
export function roomOf(path: string): string {
  const [first = '', ...rest] = path.split('/')
  return rest.length === 0 ? first.replace(/\.\w+$/, '') : first
}

/** The path of the source that a relative import names; undefined for a package. */
export function resolveImport(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined
  const path = posix.join(posix.dirname(from), specifier)
  return from.endsWith('.ts') ? path.replace(/\.js$/, '.ts') : path
}

/** `@scope/name` of `@scope/name/file.js`; undefined for a relative import. */
export function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith('.')) return undefined
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}
