import { readdirSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'
import type { SiteResponse } from './http.js'

const folder = new URL('./public/', import.meta.url)

const assetTypes: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

const files = new Map(readdirSync(folder).map((name) => [name, readFileSync(new URL(name, folder))]))

/** @returns a file of `public/` that is no page, or `undefined`. */
export function findAsset(name: string): SiteResponse | undefined {
  const body = files.get(name)
  const contentType = assetTypes[extname(name)]
  return body && contentType ? { status: 200, headers: { 'content-type': contentType }, body } : undefined
}

/**
 * Fills in `public/<name>.html`: `{{value}}` is escaped, `{{{value}}}` is markup.
 * @throws {Error} when the page names a value that is not given.
 */
export function fill(name: string, values: Readonly<Record<string, string>> = {}): string {
  const page = files.get(`${name}.html`)?.toString('utf8')
  if (page === undefined) throw new Error(`There is no page "${name}"`)
  const given = (key: string) => {
    const value = values[key]
    if (value === undefined) throw new Error(`The page "${name}" needs a value for "${key}"`)
    return value
  }
  return page.replace(/\{\{\{(\w+)\}\}\}|\{\{(\w+)\}\}/g, (_, markup?: string, text?: string) =>
    markup === undefined ? escapeHtml(given(text ?? '')) : given(markup),
  )
}

export function escapeHtml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character)
}
