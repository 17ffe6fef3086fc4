import type { Locator, Page } from 'playwright-core'
import { describeTarget, type Target } from '../definition/index.js'
import { ActionError } from '../errors/index.js'
import { type PageElement, pageScript } from './dom.js'

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

interface Taking extends PageElement {
  readonly control?: Taking | null
  readonly readOnly?: boolean
}

/** Runs in the page, as text: how an element takes a file; `none`: it holds something else. */
function fileWay(element: Taking): 'input' | 'chooser' | 'none' {
  const isField = (one: Taking) => one.matches('input, textarea, select') || one.isContentEditable === true
  const field = isField(element) ? element : ((element.closest('label') as Taking | null)?.control ?? element)
  if (!isField(field)) return 'chooser'
  if (field.matches('input') && field.type === 'file') return 'input'
  // A field that only shows the name of the file opens the chooser as a button does.
  const isPressed = field.matches('input') && /^(button|submit|reset|image)$/.test(field.type ?? '')
  return isPressed || (field.matches('input') && field.readOnly === true) ? 'chooser' : 'none'
}

const FILE_WAY = pageScript(fileWay)

export interface UploadFileParams {
  readonly page: Page
  readonly locator: Locator
  readonly target: Target
  readonly file: InputFile
  readonly limits: () => { readonly timeout: number; readonly signal: AbortSignal }
}

/**
 * Gives a file to an input, visible or not, or to the chooser that a button opens.
 *
 * @throws {ActionError} `ACTION_FAILED` for an element that takes no file; nothing was done then. `ACTION_TIMEOUT` for one that was
 * clicked and opened no chooser.
 */
export async function uploadFile({ page, locator, target, file, limits }: UploadFileParams): Promise<void> {
  const way = await locator.evaluate<'input' | 'chooser' | 'none', undefined>(FILE_WAY as never, undefined, limits())
  if (way === 'input') return locator.setInputFiles(file, limits())
  if (way === 'none') {
    throw new ActionError(`upload_file on ${describeTarget(target)} failed: the element takes no file`, {
      code: 'ACTION_FAILED',
      details: { expected: 'a file input, or what opens a file chooser' },
    })
  }
  const opening = page.waitForEvent('filechooser', limits())
  opening.catch(() => {}) // the click may fail first
  await locator.click(limits())
  const chooser = await opening.catch((cause: unknown) => {
    if (!(cause instanceof Error) || cause.name !== 'TimeoutError') throw cause
    throw new ActionError(`upload_file on ${describeTarget(target)} failed: it was clicked, and opened no file chooser`, {
      code: 'ACTION_TIMEOUT',
      cause,
      details: { expected: 'a file chooser' },
    })
  })
  await chooser.setFiles(file, limits())
}
