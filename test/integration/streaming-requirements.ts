import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Full path of a program; undefined, and a line that says what is skipped, where it is missing. */
export function programOrSkip(name: string, what: string): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const file = join(folder, name)
    try {
      accessSync(file, constants.X_OK)
      return file
    } catch {
      // looked for in the next folder
    }
  }
  console.warn(`skipped: ${what}, as ${name} is not installed (node scripts/setup.mjs brings it)`)
  return undefined
}
