/** A text read through an encoding, with the place in the original from which each of its UTF-16 units comes. */
export interface Reading {
  readonly text: string
  /** Place of each unit, and the original's length at the end. */
  readonly origin: readonly number[]
}

type Decode = (text: string) => Reading | undefined

const LETTER_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
])

const JSON_ESCAPE = /\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))/g
const PERCENT_RUN = /(?:%[0-9a-fA-F]{2})+/g
const decoder = new TextDecoder('utf-8')

/** Replaces what an expression matches, and keeps count of where everything came from. */
function read(text: string, expression: RegExp, decode: (match: RegExpExecArray) => readonly [string, number][]): Reading | undefined {
  let result = ''
  const origin: number[] = []
  let position = 0
  const take = (end: number) => {
    for (let at = position; at < end; at += 1) origin.push(at)
    result += text.slice(position, end)
  }
  for (const match of text.matchAll(expression)) {
    take(match.index)
    for (const [unit, offset] of decode(match)) {
      result += unit
      for (let at = 0; at < unit.length; at += 1) origin.push(match.index + offset)
    }
    position = match.index + match[0].length
  }
  if (position === 0) return undefined
  take(text.length)
  origin.push(text.length)
  return { text: result, origin }
}

/** JSON's escapes. */
const unescapeJson: Decode = (text) =>
  text.includes('\\')
    ? read(text, JSON_ESCAPE, ([, hex, letter]) => [
        [hex === undefined ? (LETTER_ESCAPES.get(letter ?? '') ?? '') : String.fromCharCode(Number.parseInt(hex, 16)), 0],
      ])
    : undefined

/** Percent-encoding of UTF-8. */
const unpercent: Decode = (text) =>
  text.includes('%')
    ? read(text, PERCENT_RUN, ([run]) => {
        const bytes = Uint8Array.from(run.slice(1).split('%'), (hex) => Number.parseInt(hex, 16))
        const units: [string, number][] = []
        for (let at = 0; at < bytes.length; ) {
          const first = bytes[at] ?? 0
          const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1
          units.push([decoder.decode(bytes.subarray(at, at + length)), at * 3])
          at += length
        }
        return units
      })
    : undefined

/** Form encoding: percent-encoding with a plus for a blank. */
const unform: Decode = (text) => {
  if (!text.includes('+')) return undefined
  const blanks = text.replaceAll('+', ' ')
  return unpercent(blanks) ?? { text: blanks, origin: identity(text) }
}

const HTML_ESCAPE = /&(?:amp|lt|gt|quot|apos|nbsp|#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6}));/g
const HTML_NAMES: ReadonlyMap<string, string> = new Map([
  ['&amp;', '&'],
  ['&lt;', '<'],
  ['&gt;', '>'],
  ['&quot;', '"'],
  ['&apos;', "'"],
  ['&nbsp;', '\u00a0'],
])

/** HTML's escapes, as the markup of an extraction has them. */
const unescapeHtml: Decode = (text) =>
  text.includes('&')
    ? read(text, HTML_ESCAPE, ([whole, decimal, hex]) => {
        const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal)
        return [[HTML_NAMES.get(whole) ?? (code <= 0x10ffff ? String.fromCodePoint(code) : whole), 0]]
      })
    : undefined

/** The hex digits of percent-encoding in upper case, everything else as it is. */
const upperHex: Decode = (text) =>
  text.includes('%') ? { text: text.replace(PERCENT_RUN, (run) => run.toUpperCase()), origin: identity(text) } : undefined

const identity = (text: string): readonly number[] => Array.from({ length: text.length + 1 }, (_, at) => at)

const WAYS: readonly (readonly Decode[])[] = [
  [unescapeJson],
  [unescapeJson, unescapeJson],
  [unpercent],
  [unpercent, unpercent],
  [upperHex],
  [unescapeHtml],
  [unescapeHtml, unpercent],
  [unescapeHtml, upperHex],
  [unescapeHtml, unescapeHtml],
  [unescapeJson, unescapeHtml],
  [unform],
  [unescapeJson, unpercent],
  [unescapeJson, unform],
]

/** The ways to read a text in which a secret may hide, besides the text itself. */
export function* readingsOf(text: string): Generator<Reading> {
  for (const way of WAYS) {
    let reading: Reading | undefined = { text, origin: [] }
    for (const decode of way) {
      const outer: Reading = reading
      const inner = decode(outer.text)
      reading = inner === undefined || outer.origin.length === 0 ? inner : compose(outer, inner)
      if (reading === undefined) break
    }
    if (reading !== undefined) yield reading
  }
}

/** Whether some way of reading may give another text. */
export const isEncoded = (text: string): boolean => /[%\\+&]/.test(text)

/** A text in lower case, as host names are. */
export const lowerCase = (text: string): Reading =>
  read(text, /\p{Lu}/gu, ([letter]) => [[letter.toLowerCase(), 0]]) ?? { text, origin: identity(text) }

/** The ways to read a text that may hold a host name: the text and its readings, all in lower case. */
export function* hostReadingsOf(text: string): Generator<Reading> {
  yield lowerCase(text)
  for (const reading of readingsOf(text)) yield compose(reading, lowerCase(reading.text))
}

const compose = (outer: Reading, inner: Reading): Reading => ({
  text: inner.text,
  origin: inner.origin.map((at) => outer.origin[at] ?? 0),
})

/** The texts by which base64 shows that it holds a value, one for each place at which the value may begin in a group of three bytes. */
export function base64Forms(value: string): readonly string[] {
  const bytes = Buffer.from(value, 'utf8')
  return [0, 1, 2].flatMap((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64')
    // Only the characters that hold no bit of a neighbour.
    const form = encoded.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6))
    return [form, form.replaceAll('+', '-').replaceAll('/', '_')]
  })
}

/**
 * The texts by which an address shows that it holds a value, percent-encoded parts with upper-case digits, and what a reader of such an
 * address takes for it. They differ from the value's own encoding where it holds a `%41`: addresses leave that as it is.
 */
export function addressForms(value: string): readonly string[] {
  const wellFormed = Buffer.from(value, 'utf8').toString('utf8')
  const url = new URL('https://a.test/')
  // by the setters: an address as a whole would lose blanks at its end
  url.hash = `#${value}`
  url.search = `?${value}`
  url.pathname = `/${value}`
  const encoded = [encodeURI(wellFormed), encodeURIComponent(wellFormed), url.hash.slice(1), url.search.slice(1), url.pathname.slice(1)]
  // shorter ones have lost a part: `..` takes away the folder before it
  const kept = encoded.filter((form) => form.length >= value.replace(/[\t\n\r]/g, '').length && form !== '')
  const decoded = unpercent(value)?.text
  const forms = kept.map((form) => upperHex(form)?.text ?? form)
  return [...new Set(decoded === undefined ? forms : [...forms, decoded])]
}

/** The text by which a name of a file shows that it holds a value: browsers and ours put `_` for what file systems do not take. */
export function filenameForms(value: string): readonly string[] {
  const form = value.replaceAll(/[\p{Cc}<>:"/\\|?*]/gu, '_')
  // of a value that is hardly more than such characters, too much else would look the same
  return form !== value && form.replaceAll('_', '').length >= 5 ? [form] : []
}

/** The text by which a host name shows that it holds a value, where it can hold it. */
export function hostForms(value: string): readonly string[] {
  const address = `https://${value}.a.test/`
  const host = URL.canParse(address) ? new URL(address).hostname : ''
  return host.endsWith('.a.test') ? [host.slice(0, -'.a.test'.length)] : []
}

/** The forms of a value as a whole text: as it is, and encoded. */
export function wholeForms(value: string): readonly string[] {
  const bytes = Buffer.from(value, 'utf8')
  const base64 = bytes.toString('base64')
  const escaped = JSON.stringify(value)
  return [value, base64, base64.replace(/=+$/, ''), bytes.toString('base64url'), escaped, escaped.slice(1, -1)]
}
