import type { Page } from 'playwright-core'
import type { PageObservation, PageOperationOptions } from '../sessions/ports.js'
import type { PageElement } from './dom.js'
import { pageScript } from './dom.js'

/** Runs in the page, as text. */
function readValues(fields: readonly PageElement[]): string[] {
  return fields.map((field) => field.value ?? '').filter((value) => value !== '')
}

const READ_VALUES = pageScript(readValues)

/**
 * The page as text: the accessibility tree, frames included, with a `[ref=…]` at each element that stays the same as long as the element
 * does. What password fields hold is left out.
 */
export async function observePage(page: Page, maxChars: number, options: PageOperationOptions): Promise<PageObservation> {
  const limits = { timeout: Math.max(1, options.timeoutMs), signal: options.signal }
  // Read on both sides of the tree: a field may be filled meanwhile.
  const before = passwordsOf(page)
  const tree = await page.ariaSnapshot({ mode: 'ai', ...limits })
  const passwords = new Set([...(await before), ...(await passwordsOf(page))])
  const snapshot = withoutPasswords(tree, passwords)
  const isLong = snapshot.length > maxChars
  return { url: page.url(), title: await page.title(), snapshot: isLong ? cutAtLine(snapshot, maxChars) : snapshot, truncated: isLong }
}

/** What the password fields of all frames and shadow roots hold. */
async function passwordsOf(page: Page): Promise<readonly string[]> {
  const inFrames = page.frames().map(
    (frame) =>
      frame
        .locator('input[type=password]')
        .evaluateAll<string[], undefined>(READ_VALUES)
        .catch(() => []), // a frame that goes away shows nothing either
  )
  return (await Promise.all(inFrames)).flat()
}

/** Replaces the values of text fields (on the field's own line, or one below it) that are one of the passwords. Pure. */
export function withoutPasswords(tree: string, passwords: ReadonlySet<string>): string {
  if (passwords.size === 0) return tree
  const shown = new Set([...passwords].map(tidy))
  return tree
    .split('\n')
    .map((line) => {
      const match = /^(\s*- (?:textbox\b.*?\]|text)): (.*)$/.exec(line)
      const [, head, value] = match ?? []
      return head !== undefined && value !== undefined && shown.has(tidy(unquote(value))) ? `${head}: ••••••` : line
    })
    .join('\n')
}

const tidy = (text: string) =>
  text
    .replace(/[\u200b\u00ad]/g, '')
    .replace(/\s+/g, ' ')
    .trim()

function unquote(value: string): string {
  if (value.startsWith("'") && value.endsWith("'")) return value.slice(1, -1).replaceAll("''", "'")
  if (!value.startsWith('"')) return value
  try {
    return String(JSON.parse(value))
  } catch {
    return value
  }
}

/** At the end of a line, so that no element stands there in part. Pure. */
export function cutAtLine(text: string, maxChars: number): string {
  const cut = text.slice(0, maxChars)
  const end = cut.lastIndexOf('\n')
  return end === -1 ? cut : cut.slice(0, end)
}
