import type { Locator, Page } from 'playwright-core'
import { ActionError } from '../errors/index.js'

/** A file for an input: a path, or its content. */
export type InputFile = string | { readonly name: string; readonly mimeType: string; readonly buffer: Buffer }

/**
 * What an `upload_file` puts into the page: the path of a file on this machine, or a data address (the router makes one of artifacts).
 *
 * @throws {ActionError} `ACTION_FAILED` for any other address
 */
export function toInputFile(file: string): InputFile {
  const match = /^data:([\w.+-]+\/[\w.+-]+)?((?:;[\w-]+=[^;,]*)*)(;base64)?,(.*)$/s.exec(file)
  if (match !== null) {
    const [, mimeType = 'text/plain', parameters = '', base64, content = ''] = match
    const name = /;name=([^;]*)/.exec(parameters)?.[1]
    return {
      name: name === undefined ? `file.${(mimeType.split('/')[1] ?? 'bin').replace('plain', 'txt')}` : decodeURIComponent(name),
      mimeType,
      buffer: base64 === undefined ? Buffer.from(decodeURIComponent(content)) : Buffer.from(content, 'base64'),
    }
  }
  if (/^[a-z][\w+.-]+:/i.test(file) && !/^[a-z]:[\\/]/i.test(file)) {
    throw new ActionError(`upload_file needs a path or a data address, not ${file.slice(0, 60)}`, {
      code: 'ACTION_FAILED',
      details: { expected: 'path or data address' },
    })
  }
  return file
}

/** Gives a file to an input, visible or not, or to the chooser that a button opens. */
export async function uploadFile(
  page: Page,
  locator: Locator,
  file: InputFile,
  limits: () => { readonly timeout: number; readonly signal: AbortSignal },
): Promise<void> {
  try {
    await locator.setInputFiles(file, limits())
  } catch (error) {
    if (!(error instanceof Error) || !/not an HTMLInputElement|not an input|must be .*input/i.test(error.message)) throw error
    const opening = page.waitForEvent('filechooser', limits())
    opening.catch(() => {}) // the click may fail first
    await locator.click(limits())
    const chooser = await opening
    await chooser.setFiles(file, limits())
  }
}
