import { InvalidArgumentError } from '../errors/index.js'
import type { LaunchSpec } from '../sessions/ports.js'

/** What Playwright passes by default, and what would keep extensions out. */
export const EXTENSION_BLOCKERS = ['--disable-extensions', '--disable-component-extensions-with-background-pages']

/**
 * The folders of the extensions that a session asks for by name; whoever asks never names a path.
 * @throws {InvalidArgumentError} `INVALID_ARGUMENT` for a name that the driver's options do not have, and for Chrome, which since version 137
 * loads no unpacked extensions from its command line
 */
export function extensionFolders(
  spec: Pick<LaunchSpec, 'extensions' | 'browserType'>,
  registered: Readonly<Record<string, string>>,
): readonly string[] {
  const names = spec.extensions ?? []
  if (names.length > 0 && spec.browserType === 'chrome') {
    throw new InvalidArgumentError('Chrome loads no unpacked extensions; ask for browserType "chromium" or "msedge"', {
      path: 'extensions',
      expected: 'none',
      received: names.join(', '),
    })
  }
  return names.map((name) => {
    const folder = Object.hasOwn(registered, name) ? registered[name] : undefined
    if (folder !== undefined) return folder
    throw new InvalidArgumentError(`No extension ${JSON.stringify(name)} is registered with the driver`, {
      path: 'extensions',
      expected: Object.keys(registered).join(', ') || 'none: the driver has no `extensions`',
      received: name,
    })
  })
}

/** Loads these folders and no other extension. Pure. */
export function extensionArguments(folders: readonly string[]): readonly string[] {
  if (folders.length === 0) return []
  const list = folders.join(',')
  return [`--disable-extensions-except=${list}`, `--load-extension=${list}`]
}
