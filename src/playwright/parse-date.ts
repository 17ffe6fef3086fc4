type DayOrder = 'day first' | 'month first' | 'unknown'

/**
 * Reads a date, with or without a time, and gives it in ISO 8601: `2024-05-06`, `2024-05-06T14:30:00` (no zone in the text) or
 * `2024-05-06T12:30:00.000Z` (the text had a zone).
 *
 * `05/06/2024` is read in the order of the page's language; where that is unknown and both orders make a date, it is refused: a wrong
 * date is worse than none.
 *
 * @param language - the page's language, for example `en-GB`
 * @returns null where the text is no date, or an ambiguous one
 */
export function parseDate(text: string, language?: string): string | null {
  const trimmed = text.replaceAll(/\s+/gu, ' ').trim()
  return iso(trimmed) ?? yearFirst(trimmed) ?? numeric(trimmed, language) ?? named(trimmed, language)
}

function iso(text: string): string | null {
  const match = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s?(Z|[+-]\d{2}:?\d{2})?)?$/.exec(text)
  if (match === null) return null
  const [, year, month, day, hour, minute, second = '00', zone] = match
  if (!isDay(Number(year), Number(month), Number(day))) return null
  if (hour === undefined || minute === undefined) return `${year}-${month}-${day}`
  if (!isTime(Number(hour), Number(minute), Number(second))) return null
  if (zone === undefined) return `${year}-${month}-${day}T${hour}:${minute}:${second}`
  const instant = new Date(
    text
      .replace(' ', 'T')
      .replace(/\s?([+-]\d{2}):?(\d{2})$/, '$1:$2')
      .replace(/ Z$/, 'Z'),
  )
  return Number.isNaN(instant.getTime()) ? null : instant.toISOString()
}

function yearFirst(text: string): string | null {
  const match = /^(\d{4})[/.年-]\s?(\d{1,2})[/.月-]\s?(\d{1,2})[日.]?(.*)$/u.exec(text)
  return match === null ? null : compose(Number(match[1]), Number(match[2]), Number(match[3]), match[4] ?? '')
}

function numeric(text: string, language: string | undefined): string | null {
  const match = /^(\d{1,2})([/.-])\s?(\d{1,2})\2\s?(\d{4}|\d{2})(\D.*)?$/.exec(text)
  if (match === null) return null
  const [first, second, year] = [Number(match[1]), Number(match[3]), fullYear(Number(match[4]))]
  const rest = match[5] ?? ''
  const order = match[2] === '.' ? 'day first' : orderOf(first, second, language) // points are written with the day first everywhere
  if (order === 'unknown') return null
  return order === 'day first' ? compose(year, second, first, rest) : compose(year, first, second, rest)
}

function orderOf(first: number, second: number, language: string | undefined): DayOrder {
  if (first > 12) return 'day first'
  if (second > 12) return 'month first'
  if (first === second) return 'day first'
  if (!language) return 'unknown'
  try {
    const parts = new Intl.DateTimeFormat(language).formatToParts(new Date(0)).map((part) => part.type)
    return parts.indexOf('day') < parts.indexOf('month') ? 'day first' : 'month first'
  } catch {
    return 'unknown' // a page may say anything in its lang attribute
  }
}

function named(text: string, language: string | undefined): string | null {
  const months = monthNames(language)
  const plain = text.toLowerCase().replace(/^\p{L}+\.?,? (?=\S+ \S+)/u, (word) => (months.has(word.replaceAll(/[.,\s]/g, '')) ? word : '')) // the day of the week
  const dayFirst = /^(\d{1,2})(?:st|nd|rd|th|\.|er|º)?[ -]?(?:de |of )?(\p{L}+)\.?,?[ -]?(?:de |of )?(\d{4})(\D.*)?$/u.exec(plain)
  const monthFirst = /^(\p{L}+)\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})(\D.*)?$/u.exec(plain)
  const [day, name, year, rest] = dayFirst
    ? [dayFirst[1], dayFirst[2], dayFirst[3], dayFirst[4]]
    : [monthFirst?.[2], monthFirst?.[1], monthFirst?.[3], monthFirst?.[4]]
  const month = name === undefined ? undefined : months.get(name)
  return month === undefined ? null : compose(Number(year), month, Number(day), rest ?? '')
}

const monthTables = new Map<string, ReadonlyMap<string, number>>()

/** Long and short names of the months, in English and in the page's language. */
function monthNames(language = 'en'): ReadonlyMap<string, number> {
  const known = monthTables.get(language)
  if (known !== undefined) return known
  const names = new Map<string, number>([['sept', 9]])
  for (const locale of [language, 'en']) {
    for (const month of ['long', 'short'] as const) {
      for (let index = 0; index < 12; index += 1) {
        const name = monthName(locale, month, index)
        if (name !== null) names.set(name.toLowerCase().replaceAll('.', ''), index + 1)
      }
    }
  }
  if (monthTables.size < 64) monthTables.set(language, names) // pages choose the key
  return names
}

function monthName(locale: string, month: 'long' | 'short', index: number): string | null {
  try {
    const format = new Intl.DateTimeFormat(locale, { day: 'numeric', month, timeZone: 'UTC' })
    return format.formatToParts(new Date(Date.UTC(2020, index, 1))).find((part) => part.type === 'month')?.value ?? null
  } catch {
    return null
  }
}

/** Checks the day and adds the time that follows it, if any. */
function compose(year: number, month: number, day: number, rest: string): string | null {
  if (!isDay(year, month, day)) return null
  const date = `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}`
  if (rest.trim() === '') return date
  const match = /^(?:,|\s|t|at|um|à|a las|·|-)*\s*(\d{1,2})[:.h](\d{2})(?::(\d{2}))?\s?([ap])?\.?m?\.?(?: ?uhr)?\s?(z|utc|gmt)?$/i.exec(
    rest.trim(),
  )
  if (match === null) return null
  const half = match[4]?.toLowerCase()
  const written = Number(match[1])
  const hour = half === undefined ? written : (written % 12) + (half === 'p' ? 12 : 0)
  const [minute, second] = [Number(match[2]), Number(match[3] ?? 0)]
  if (!isTime(hour, minute, second) || (half !== undefined && (written < 1 || written > 12))) return null
  const local = `${date}T${two(hour)}:${two(minute)}:${two(second)}`
  return match[5] === undefined ? local : `${local}.000Z`
}

const two = (value: number) => String(value).padStart(2, '0')

/** As POSIX reads two digits. */
const fullYear = (year: number) => (year > 99 ? year : year < 69 ? 2000 + year : 1900 + year)

const isTime = (hour: number, minute: number, second: number) => hour < 24 && minute < 60 && second < 60

function isDay(year: number, month: number, day: number): boolean {
  const date = new Date(Date.UTC(year, month - 1, day))
  return year >= 100 && month >= 1 && month <= 12 && date.getUTCMonth() === month - 1 && date.getUTCDate() === day
}
