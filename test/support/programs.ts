import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

type Program = 'chromium' | 'tigervnc'

const NAMES: Readonly<Record<Program, readonly string[]>> = {
  chromium: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
  tigervnc: ['Xtigervnc', 'Xvnc'],
}

/** The programs that integration tests need, as they are found on this machine. */
export const programs = {
  chromium: find('chromium'),
  tigervnc: find('tigervnc'),
  /** A note for the name of a test that is skipped. */
  whySkipped(needed: readonly Program[]): string {
    const missing = needed.filter((program) => find(program) === undefined)
    return missing.length === 0 ? '' : `(skipped: ${missing.join(' and ')} not found; run: node scripts/setup.mjs)`
  },
}

function find(program: Program): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    for (const name of NAMES[program]) {
      const path = join(folder, name)
      try {
        accessSync(path, constants.X_OK)
        return path
      } catch {
        // not in this folder
      }
    }
  }
  return undefined
}
