import {
  booleanValue,
  fromRuntime,
  isArray,
  isNumeric,
  isObject,
  isString,
  numberValue,
  type RuntimeValue,
  runtime,
  stringValue,
  textOf,
  toRuntime,
  UNDEFINED,
} from './template-values.js'

/** What a filter of ours is called with. */
export interface FilterCall {
  readonly operand: RuntimeValue
  readonly args: readonly RuntimeValue[]
  readonly named: ReadonlyMap<string, RuntimeValue>
}

type Filter = (call: FilterCall) => RuntimeValue

const fail = (message: string): never => {
  throw new Error(message)
}

const list = (name: string, value: RuntimeValue): RuntimeValue[] =>
  isArray(value) ? value.value : fail(`${name} needs a list, got ${value.type}`)

const number = (name: string, value: RuntimeValue | undefined, fallback: number): number =>
  value === undefined ? fallback : isNumeric(value) ? Number(value.value) : fail(`${name} needs a number, got ${value.type}`)

const withAttribute = (item: RuntimeValue, attribute: RuntimeValue | undefined): RuntimeValue => {
  if (attribute === undefined) return item
  return isObject(item) ? (item.value.get(textOf(attribute)) ?? UNDEFINED) : UNDEFINED
}

const extreme =
  (name: string, isBetter: (a: RuntimeValue['value'], b: RuntimeValue['value']) => boolean): Filter =>
  ({ operand, args, named }) => {
    const attribute = named.get('attribute') ?? args[1]
    let best: RuntimeValue | undefined
    for (const item of list(name, operand)) {
      if (best === undefined || isBetter(withAttribute(item, attribute).value, withAttribute(best, attribute).value)) best = item
    }
    return best ?? UNDEFINED
  }

const fallback: Filter = ({ operand, args, named }) => {
  const isEmptyToo = args[1] ?? named.get('boolean')
  const isMissing = operand.type === 'UndefinedValue' || (isEmptyToo?.__bool__().value === true && !operand.__bool__().value)
  return isMissing ? (args[0] ?? named.get('default_value') ?? stringValue('')) : operand
}

const count: Filter = ({ operand }) => {
  if (isArray(operand) || isString(operand)) return numberValue(operand.value.length)
  if (isObject(operand)) return numberValue(operand.value.size)
  return fail(`length needs a text, a list or an object, got ${operand.type}`)
}

/** Filters that the library lacks, or does not treat as Jinja does. They go before its own. */
export const FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ['default', fallback],
  ['d', fallback],
  ['length', count],
  ['count', count],
  [
    'join',
    ({ operand, args, named }) => {
      const separator = args[0] ?? named.get('separator') ?? named.get('d')
      const attribute = args[1] ?? named.get('attribute')
      const items = isString(operand) ? Array.from(operand.value, stringValue) : list('join', operand)
      return stringValue(items.map((item) => textOf(withAttribute(item, attribute))).join(separator === undefined ? '' : textOf(separator)))
    },
  ],
  ['string', ({ operand }) => stringValue(textOf(operand))],
  [
    'list',
    ({ operand }) => {
      if (isArray(operand)) return operand
      if (isString(operand)) return new runtime.Array(Array.from(operand.value, stringValue))
      if (isObject(operand)) return new runtime.Array(Array.from(operand.value.keys(), stringValue))
      return fail(`list needs a text, a list or an object, got ${operand.type}`)
    },
  ],
  ['first', ({ operand }) => (isString(operand) ? stringValue(operand.value.slice(0, 1)) : (list('first', operand)[0] ?? UNDEFINED))],
  ['last', ({ operand }) => (isString(operand) ? stringValue(operand.value.slice(-1)) : (list('last', operand).at(-1) ?? UNDEFINED))],
  [
    'round',
    ({ operand, args, named }) => {
      const value = number('round', operand, 0)
      const precision = number('round', args[0] ?? named.get('precision'), 0)
      const method = args[1] ?? named.get('method')
      const scale = 10 ** precision
      const how = method === undefined ? 'common' : textOf(method)
      // The exponent form keeps 1.005 from becoming 1.00: its product with 100 is below 100.5.
      const shifted = Number(`${value}e${precision}`)
      const scaled = Number.isNaN(shifted) ? value * scale : shifted
      const rounded =
        how === 'floor' ? Math.floor(scaled) : how === 'ceil' ? Math.ceil(scaled) : Math.sign(scaled) * Math.round(Math.abs(scaled))
      return new runtime.Float(rounded / scale)
    },
  ],
  [
    'sum',
    ({ operand, args, named }) => {
      const attribute = args[0] ?? named.get('attribute')
      let total = number('sum', args[1] ?? named.get('start'), 0)
      for (const item of list('sum', operand)) total += number('sum', withAttribute(item, attribute), 0)
      return numberValue(total)
    },
  ],
  ['min', extreme('min', (a, b) => (a as number) < (b as number))],
  ['max', extreme('max', (a, b) => (a as number) > (b as number))],
  ['urlencode', ({ operand }) => stringValue(encodeURIComponent(textOf(operand)).replaceAll('%2F', '/'))],
  [
    'fromjson',
    ({ operand }) => {
      try {
        return toRuntime(JSON.parse(textOf(operand)))
      } catch {
        return fail('fromjson needs JSON text')
      }
    },
  ],
  ['bool', ({ operand }) => booleanValue(operand.__bool__().value)],
])

/** Filters of the library that take texts only; other scalars are rendered first, as Jinja does. */
export const TEXT_FILTERS: ReadonlySet<string> = new Set(['upper', 'lower', 'title', 'capitalize', 'trim', 'replace', 'indent'])

/** The `tojson` filter without arguments: compact JSON. */
export const compactJson = (value: RuntimeValue): RuntimeValue => stringValue(JSON.stringify(fromRuntime(value)))
