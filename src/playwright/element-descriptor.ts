import type { Target } from '../definition/index.js'
import type { ElementDescriptor } from '../sessions/ports.js'
import type { PageElement, PageRoot } from './dom.js'
import { pageScript } from './dom.js'

interface ElementFacts {
  tag: string
  /** Of an input, else null. */
  inputType: string | null
  role: string | null
  name: string | null
  testId: string | null
  id: string | null
  label: string | null
  placeholder: string | null
  text: string | null
  css: string
  xpath: string | null
}

/** Runs in the page, as text: what tells an element from the others. It must not lean on anything outside of itself. */
function readFacts(element: PageElement): ElementFacts {
  const tag = element.tagName.toLowerCase()
  const tidy = (text: string | null | undefined) => (text ?? '').replace(/\s+/g, ' ').trim()
  const short = (text: string) => (text.length > 0 && text.length <= 80 ? text : null)
  const inputRoles: Record<string, string> = {
    button: 'button',
    submit: 'button',
    reset: 'button',
    image: 'button',
    checkbox: 'checkbox',
    radio: 'radio',
    range: 'slider',
    number: 'spinbutton',
    search: 'searchbox',
    text: 'textbox',
    email: 'textbox',
    tel: 'textbox',
    url: 'textbox',
  }
  const tagRoles: Record<string, string> = {
    button: 'button',
    textarea: 'textbox',
    option: 'option',
    nav: 'navigation',
    main: 'main',
    table: 'table',
    tr: 'row',
    li: 'listitem',
    img: 'img',
    dialog: 'dialog',
    summary: '',
  }
  const roleOf = () => {
    const explicit = tidy(element.getAttribute('role')).split(' ')[0]
    if (explicit) return explicit
    if (tag === 'a') return element.hasAttribute('href') ? 'link' : null
    if (tag === 'input') return inputRoles[element.type ?? 'text'] ?? null
    if (tag === 'select') return element.hasAttribute('multiple') ? 'listbox' : 'combobox'
    if (/^h[1-6]$/.test(tag)) return 'heading'
    return tagRoles[tag] || null
  }
  const labelText = tidy(Array.from(element.labels ?? [], (label) => label.textContent).join(' '))
  const byIds = (ids: string | null) =>
    tidy(
      (ids ?? '')
        .split(/\s+/)
        .map((id) => (id === '' ? '' : element.ownerDocument.getElementById(id)?.textContent))
        .join(' '),
    )
  const isField = /^(input|select|textarea)$/.test(tag)
  const isPressed = tag === 'input' && /^(button|submit|reset)$/.test(element.type ?? '')
  // biome-ignore lint/performance/useDomNodeTextContent: the text that a reader sees, without hidden parts
  const ownText = isField ? '' : tidy(element.innerText ?? element.textContent)
  const name =
    byIds(element.getAttribute('aria-labelledby')) ||
    tidy(element.getAttribute('aria-label')) ||
    (isPressed ? tidy(element.value) : labelText) ||
    tidy(element.getAttribute('alt')) ||
    ownText ||
    tidy(element.getAttribute('title')) ||
    (isField ? tidy(element.getAttribute('placeholder')) : '')

  /** From the nearest id down, by places among siblings. */
  const cssPath = () => {
    const steps: string[] = []
    for (let current: PageElement | null = element; current !== null; current = current.parentElement) {
      if (current.id !== '' && /^[A-Za-z][\w-]*$/.test(current.id)) {
        steps.unshift(`#${current.id}`)
        break
      }
      const own: string = current.tagName.toLowerCase()
      const parent: PageElement | null = current.parentElement
      const alike = parent === null ? [] : Array.from(parent.children).filter((child) => child.tagName.toLowerCase() === own)
      steps.unshift(alike.length > 1 ? `${own}:nth-of-type(${alike.indexOf(current) + 1})` : own)
    }
    return steps.join(' > ')
  }
  const xpathOf = () => {
    if ((element.getRootNode() as PageRoot).nodeType !== 9) return null // XPath does not enter shadow roots
    const steps: string[] = []
    for (let current: PageElement | null = element; current !== null; current = current.parentElement) {
      const own: string = current.tagName.toLowerCase()
      const parent: PageElement | null = current.parentElement
      const alike = parent === null ? [] : Array.from(parent.children).filter((child) => child.tagName.toLowerCase() === own)
      steps.unshift(alike.length > 1 ? `${own}[${alike.indexOf(current) + 1}]` : own)
    }
    return `/${steps.join('/')}`
  }
  const testId = element.getAttribute('data-testid')
  const stableId = /^[A-Za-z][\w-]*$/.test(element.id) && !/\d{4,}/.test(element.id) // a long number is made up anew on every load
  return {
    tag,
    inputType: tag === 'input' ? (element.type ?? 'text') : null,
    role: roleOf(),
    name: short(name),
    testId: testId || null,
    id: stableId ? element.id : null,
    label: short(labelText) ?? (isField ? short(tidy(element.getAttribute('aria-label'))) : null),
    placeholder: short(tidy(element.getAttribute('placeholder'))),
    text: short(ownText),
    css: cssPath(),
    xpath: xpathOf(),
  }
}

/** Page function that reads an element's facts. */
export const READ_FACTS = pageScript(readFacts)

/** Facts of an element as the page gives them. */
export type { ElementFacts }

/**
 * The ways to find an element again, most stable first: test id, role and name, label, placeholder, id, text, path, XPath. Whether one
 * matches others as well is not looked at: that would cost a call for each on every action.
 */
export function toDescriptor(facts: ElementFacts, frame: Target['frame']): ElementDescriptor {
  const { tag, role, name, testId, id, label, placeholder, text, css, xpath } = facts
  const targets: Target[] = []
  const add = (target: Target | false) => {
    if (target !== false) targets.push(frame === undefined ? target : { ...target, frame })
  }
  add(testId !== null && { testId })
  add(role !== null && name !== null && { role, name })
  add(label !== null && { label })
  add(placeholder !== null && { placeholder })
  add(id !== null && { css: `#${id}` })
  add(text !== null && { text })
  add(css !== (id === null ? '' : `#${id}`) && { css })
  add(xpath !== null && { xpath })
  return { tag, role, name, targets }
}
