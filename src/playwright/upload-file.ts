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
