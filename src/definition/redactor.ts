import type { Json } from '../errors/index.js'
import { mapJson, someJson } from './map-json.js'
import {
  addressForms,
  base64Forms,
  filenameForms,
  hostForms,
  hostReadingsOf,
  isEncoded,
  lowerCase,
  type Reading,
  readingsOf,
  wholeForms,
} from './redaction-forms.js'

/** A secret's value, and the name under which it is shown. */
export interface SecretValue {
  /** Stands in the place of the value, in braces: `KEY.password`. */
  readonly key: string
  readonly value: string
}

/** Takes secrets out of what comes back from pages and responses. */
export interface Redactor {
  /** A copy without any secret; the value itself when it holds none. A number that holds one becomes a text. */
  redact(value: Json): Json
  /** Like `redact`, of one text. */
  redactText(text: string): string
  /** Like `redactText`, of a text that holds a host name: upper and lower case count as the same. */
  redactHost(text: string): string
}

/** Shortest secret that is looked for inside of texts, in UTF-16 units. */
const MIN_SUBSTRING_LENGTH = 5
const BLOTS = ['█', '▓', '▒', '░', '■']

interface Needle {
  readonly text: string
  readonly replacement: string
}

interface Needles {
  /** Looked for everywhere, longer ones first. */
  readonly parts: readonly Needle[]
  /** In lower case: looked for where host names are, which have lost their capitals. */
  readonly hostParts: readonly Needle[]
  /** Only as whole texts. */
  readonly whole: ReadonlyMap<string, string>
  /** Values of long secrets that are numbers: JSON may spell them otherwise. */
  readonly numbers: ReadonlyMap<number, string>
}

/**
 * Makes a redactor of some secrets. One of 5 UTF-16 units or more is replaced wherever it occurs, a shorter one only where it is
 * the whole text; also percent-encoded, as addresses write it, in base64 (whatever its place in what was encoded), JSON-escaped,
 * HTML-escaped, in numbers and in object keys. Longer ones go first; those that overlap are replaced as one.
 *
 * @example
 * ```ts
 * createRedactor([{ key: 'shop.password', value: 'hunter2' }]).redact({ url: '/?p=hunter2' }) // { url: '/?p={{ shop.password }}' }
 * ```
 */
export function createRedactor(secrets: readonly SecretValue[]): Redactor {
  const needles = prepare(secrets.filter(({ value }) => value !== ''))
  if (needles.whole.size === 0) return { redact: (value) => value, redactText: (text) => text, redactHost: (text) => text }
  const redactText = (text: string): string => needles.whole.get(text) ?? wholeReading(text, needles) ?? replaceParts(text, needles)
  const redactHost = (text: string): string =>
    needles.whole.get(text) ?? wholeReading(text, needles) ?? replaceParts(text, needles, hostReadingsOf(text))
  const redactScalar = (value: Json): Json => {
    if (typeof value === 'string') return redactText(value)
    if (typeof value !== 'number') return value
    const text = String(value)
    const redacted = needles.numbers.get(value) ?? redactText(text)
    return redacted === text ? value : redacted
  }
  const holdsSecret = (value: Json) =>
    someJson(value, { scalar: (item) => redactScalar(item) !== item, key: (key) => redactText(key) !== key })
  const redact = (value: Json) => (holdsSecret(value) ? mapJson(value, { scalar: redactScalar, key: redactText }) : value)
  return { redact, redactText, redactHost }
}

function prepare(secrets: readonly SecretValue[]): Needles {
  const parts = new Map<string, string>()
  const hostParts = new Map<string, string>()
  const whole = new Map<string, string>()
  const numbers = new Map<number, string>()
  const addTo = <K>(map: Map<K, string>, key: K, replacement: string) => map.has(key) || map.set(key, replacement)
  for (const { key, value } of secrets) {
    const replacement = replacementOf(key, secrets)
    const inAddresses = addressForms(value)
    for (const form of [...wholeForms(value), ...inAddresses]) if (form !== '') addTo(whole, form, replacement)
    if (value.length < MIN_SUBSTRING_LENGTH) continue
    const longEnough = inAddresses.filter(({ length }) => length >= MIN_SUBSTRING_LENGTH)
    const forms = [value, ...base64Forms(value), ...longEnough, ...filenameForms(value)]
    for (const form of forms) addTo(parts, form, replacement)
    for (const form of [...forms, ...hostForms(value)]) addTo(hostParts, lowerCase(form).text, replacement)
    if (/^[+-]?[0-9]+(?:\.[0-9]+)?$/.test(value)) addTo(numbers, Number(value), replacement)
  }
  return { parts: longestFirst(parts), hostParts: longestFirst(hostParts), whole, numbers }
}

const longestFirst = (needles: ReadonlyMap<string, string>): readonly Needle[] =>
  [...needles].map(([text, replacement]) => ({ text, replacement })).sort((a, b) => b.text.length - a.text.length)

/** What stands for a secret must neither hold one, nor make one together with what stands beside it. */
function replacementOf(key: string, secrets: readonly SecretValue[]): string {
  const shown = `{{ ${key} }}`
  const isFit = (text: string) =>
    secrets.every(({ value }) => !text.includes(value) && !value.includes(text.charAt(0)) && !value.includes(text.slice(-1)))
  if (isFit(shown)) return shown
  const blot = BLOTS.find(isFit) ?? '•'
  return blot.repeat(5)
}

function wholeReading(text: string, { whole }: Needles): string | undefined {
  if (!isEncoded(text) || text.length > 200) return undefined
  for (const reading of readingsOf(text)) {
    const replacement = whole.get(reading.text)
    if (replacement !== undefined) return replacement
  }
  return undefined
}

interface Hit {
  readonly start: number
  readonly end: number
  readonly length: number
  readonly replacement: string
}

function replaceParts(text: string, needles: Needles, hostReadings: Iterable<Reading> = []): string {
  const hits: Hit[] = []
  for (const { text: needle, replacement } of needles.parts) {
    const { length } = needle
    // On by one, not by its length: an occurrence may overlap the next.
    for (let at = text.indexOf(needle); at !== -1; at = text.indexOf(needle, at + 1))
      hits.push({ start: at, end: at + length, length, replacement })
  }
  if (isEncoded(text)) collectReadHits(readingsOf(text), needles.parts, hits)
  collectReadHits(hostReadings, needles.hostParts, hits)
  return hits.length === 0 ? text : replaceHits(text, hits)
}

function collectReadHits(readings: Iterable<Reading>, needles: readonly Needle[], hits: Hit[]): void {
  for (const reading of readings) {
    for (const { text: needle, replacement } of needles) {
      const { length } = needle
      for (let at = reading.text.indexOf(needle); at !== -1; at = reading.text.indexOf(needle, at + 1)) {
        hits.push({ start: reading.origin[at] ?? 0, end: reading.origin[at + length] ?? reading.origin.at(-1) ?? 0, length, replacement })
      }
    }
  }
}

function replaceHits(text: string, hits: Hit[]): string {
  hits.sort((a, b) => a.start - b.start || b.end - a.end)
  let result = ''
  let position = 0
  let current: Hit | undefined
  const close = (hit: Hit) => {
    result += text.slice(position, hit.start) + hit.replacement
    position = hit.end
  }
  for (const hit of hits) {
    if (current === undefined || hit.start >= current.end) {
      if (current !== undefined) close(current)
      current = hit
      continue
    }
    const longer: Hit = hit.length > current.length ? hit : current
    current = { ...longer, start: current.start, end: Math.max(current.end, hit.end) }
  }
  if (current !== undefined) close(current)
  return result + text.slice(position)
}
