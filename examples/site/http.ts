import type { IncomingMessage } from 'node:http'
import type { SiteSession } from './sessions.js'

/** A request as the pages see it. */
export interface SiteRequest {
  readonly method: string
  readonly url: URL
  readonly cookies: ReadonlyMap<string, string>
  readonly session: SiteSession | undefined
  /** What the path's pattern captured, in order. */
  readonly captured: readonly string[]
  form(): Promise<URLSearchParams>
}

export interface SiteResponse {
  readonly status: number
  readonly headers: Record<string, string | string[]>
  readonly body: string | Buffer
}

/** An answer other than the page asked for. */
export class HttpProblem extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message)
  }
}

const maxFormBytes = 64 * 1024

export const html = (body: string, status = 200): SiteResponse => ({
  status,
  headers: { 'content-type': 'text/html; charset=utf-8' },
  body,
})

export const json = (value: unknown, status = 200): SiteResponse => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
})

/** 303: the browser follows with GET also after a POST. */
export const redirect = (location: string, cookies: string[] = []): SiteResponse => ({
  status: 303,
  headers: { location, ...(cookies.length > 0 && { 'set-cookie': cookies }) },
  body: '',
})

export const attachment = (fileName: string, contentType: string, body: string | Buffer): SiteResponse => ({
  status: 200,
  headers: { 'content-type': contentType, 'content-disposition': `attachment; filename="${fileName}"` },
  body,
})

export async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += chunk.length
    if (bytes > maxFormBytes) throw new HttpProblem(413, 'The form is too large.')
    chunks.push(chunk)
  }
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'))
}
