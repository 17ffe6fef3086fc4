import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DependencyMissingError } from '../errors/index.js'

/** The viewer's own folder: beside the bundle in the package, below `public` in the sources. */
export function viewerFolder(): string {
  const candidates = ['./viewer/', './public/viewer/'].map((path) => fileURLToPath(new URL(path, import.meta.url)))
  const found = candidates.find((folder) => existsSync(`${folder}index.html`))
  if (found === undefined) throw new Error(`The viewer's files are not where they should be: ${candidates.join(' or ')}`)
  return found
}

/** The installed noVNC. */
export function noVncFolder(): string {
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve('@novnc/novnc'))) // its only export is core/rfb.js
  } catch (error) {
    throw new DependencyMissingError('@novnc/novnc', 'the live view page', error)
  }
}
