import type { Selectors, Target } from '../definition/index.js'
import type { Json } from '../errors/index.js'
import type { ElementDescriptor, PageDialog } from '../sessions/ports.js'

/** What an element may do to its page when it is clicked. */
export interface FakePageControls {
  /** The page goes elsewhere by itself, at once. */
  goTo(url: string): void
  /** Opens a tab, as a pop-up. */
  openPopup(url: string): unknown
  /** Begins a download; `path` is the file that it ends as. */
  download(download: { suggestedFilename: string; url: string; path: string }): void
  /** Shows a dialog; gives the text of a prompt, or whether it was accepted. */
  dialog(type: PageDialog['type'], message: string): string | boolean | null
  /** Puts other elements onto the page, as a script of it would. */
  show(elements: readonly FakeElement[]): void
}

/** An element of a scripted page: the ways to find it, and what it does. */
export interface FakeElement {
  /** @default 'fake' */
  readonly tag?: string
  readonly css?: string
  readonly xpath?: string
  readonly role?: string
  readonly name?: string
  readonly label?: string
  readonly placeholder?: string
  readonly testId?: string
  readonly text?: string
  readonly attributes?: Readonly<Record<string, string>>
  /** Milliseconds after the page was opened until it is there. @default 0 */
  readonly appearsAfterMs?: number
  /** @default false */
  readonly hidden?: boolean
  /** Present, but never ready to be acted on: actions on it wait for their deadline. @default false */
  readonly disabled?: boolean
  /** The address that a click leads to, or what it does. */
  readonly onClick?: string | ((page: FakePageControls) => void)
  /** What it holds at first. */
  readonly value?: string
  readonly checked?: boolean
  /** Rejects every action on it. */
  readonly fails?: Error
}

/** What an address shows. */
export interface FakePageScript {
  readonly title?: string
  /** @default 200 */
  readonly httpStatus?: number
  readonly elements?: readonly FakeElement[]
  /** The address that it redirects to. */
  readonly redirectsTo?: string
  /** Milliseconds that a navigation to it takes. @default 0 */
  readonly delayMs?: number
  /** A navigation to it never ends by itself. @default false */
  readonly hangs?: boolean
  /** What `extract` gives. Without it, the selectors are answered from the elements. */
  readonly extract?: Json | ((selectors: Selectors) => Json)
  /** What `evaluate` gives. @default null */
  readonly evaluate?: Json | ((source: string, argument: Json | undefined) => Json)
  readonly content?: string
  /** Addresses of its frames beside the main one. */
  readonly frames?: readonly string[]
  /** Name of the file when the address is a download: the page stays where it is. */
  readonly download?: string
}

/** Pages by address; an address without its query and fragment finds them too. */
export type FakeSite = Readonly<Record<string, FakePageScript>>

/** The script of an address; null where the site has none. Without a site, and for `about:` and `data:`, every page is empty. */
export function findScript(site: FakeSite | undefined, url: string): FakePageScript | null {
  if (site === undefined || /^(about|data):/.test(url)) return site?.[url] ?? {}
  const bare = url.replace(/[?#].*$/, '')
  return site[url] ?? site[bare] ?? site[bare.replace(/\/$/, '')] ?? site[`${bare}/`] ?? null
}

/** The elements that a target names, in the page's order; `frame` is ignored. */
export function matchElements<T extends FakeElement>(elements: readonly T[], target: Target): readonly T[] {
  const matches = elements.filter((element) => isMatch(element, target))
  if (target.nth === undefined) return matches
  const one = matches.at(target.nth)
  return one === undefined ? [] : [one]
}

function isMatch(element: FakeElement, target: Target): boolean {
  if (target.css !== undefined) return element.css === target.css
  if (target.xpath !== undefined) return element.xpath === target.xpath
  if (target.testId !== undefined) return element.testId === target.testId
  if (target.role !== undefined) return element.role === target.role && (target.name === undefined || has(element.name, target.name))
  if (target.label !== undefined) return has(element.label, target.label)
  if (target.placeholder !== undefined) return has(element.placeholder, target.placeholder)
  return target.text !== undefined && has(element.text, target.text)
}

const has = (text: string | undefined, part: string) => text?.toLowerCase().includes(part.toLowerCase()) ?? false

/** What a driver notes of an element that it touched: every way to find it, most stable first. */
export function describeElement(element: FakeElement, target?: Target): ElementDescriptor {
  const { testId, role, name, label, placeholder, css, text, xpath } = element
  const targets: Target[] = []
  if (testId !== undefined) targets.push({ testId })
  if (role !== undefined && name !== undefined) targets.push({ role, name })
  if (label !== undefined) targets.push({ label })
  if (placeholder !== undefined) targets.push({ placeholder })
  if (css !== undefined) targets.push({ css })
  if (text !== undefined) targets.push({ text })
  if (xpath !== undefined) targets.push({ xpath })
  return {
    tag: element.tag ?? 'fake',
    role: role ?? null,
    name: name ?? null,
    targets: targets.length === 0 && target ? [target] : targets,
  }
}

/** Names a target for a message: `css "#go"`, `role button "Save"`. */
export function describeFakeTarget(target: Target): string {
  return Object.entries(target)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key} ${JSON.stringify(value)}`)
    .join(' ')
}
