import { Environment, Interpreter } from '@huggingface/jinja'
import { TemplateError } from '../errors/index.js'
import { compactJson, FILTERS, TEXT_FILTERS } from './template-filters.js'
import {
  booleanValue,
  isArray,
  isNumeric,
  isObject,
  isString,
  isUndefined,
  numberValue,
  type RuntimeValue,
  runtime,
  stringValue,
  textOf,
  UNDEFINED,
} from './template-values.js'

/** A node of a parsed template, typed by structure. */
export interface TemplateNode {
  readonly type: string
  readonly [field: string]: unknown
}

/** The interpreter's scope, typed by structure. */
export interface RuntimeEnvironment {
  setVariable(name: string, value: RuntimeValue): RuntimeValue
}

interface BaseInterpreter {
  run(program: TemplateNode): RuntimeValue
  evaluate(node: TemplateNode | undefined, environment: RuntimeEnvironment): RuntimeValue
  evaluateBlock(nodes: readonly TemplateNode[], environment: RuntimeEnvironment): RuntimeValue
  evaluateArguments(nodes: unknown, environment: RuntimeEnvironment): [RuntimeValue[], Map<string, RuntimeValue>]
  evaluateSliceExpression(object: RuntimeValue, node: TemplateNode, environment: RuntimeEnvironment): RuntimeValue
  evaluateIdentifier(node: TemplateNode, environment: RuntimeEnvironment): RuntimeValue
  evaluateMemberExpression(node: TemplateNode, environment: RuntimeEnvironment): RuntimeValue
  evaluateBinaryExpression(node: TemplateNode, environment: RuntimeEnvironment): RuntimeValue
  evaluateTestExpression(node: TemplateNode, environment: RuntimeEnvironment): RuntimeValue
  evaluateFilterExpression(node: TemplateNode, environment: RuntimeEnvironment): RuntimeValue
  applyFilter(operand: RuntimeValue, filter: TemplateNode, environment: RuntimeEnvironment): RuntimeValue
}

// The library declares the methods that are overridden here as private to the compiler; they are ordinary methods.
const Base = Interpreter as unknown as new (environment: RuntimeEnvironment) => BaseInterpreter

/** Makes a scope below another. */
export const createEnvironment = (parent?: RuntimeEnvironment): RuntimeEnvironment =>
  new Environment(parent as unknown as Environment | undefined) as unknown as RuntimeEnvironment

/** How one rendering behaves. */
export interface InterpreterOptions {
  /** Whether an undefined variable or member is an error. */
  readonly strict: boolean
  /** Most steps of one rendering. */
  readonly stepBudget: number
  /** The iterables of the template's loops: undefined ones are empty lists. */
  readonly iterables: WeakSet<object>
}

/** The library's interpreter with a step budget, strict undefined, filters of ours, and Jinja's equality. */
export class TemplateInterpreter extends Base {
  readonly #options: InterpreterOptions
  #steps = 0
  #lenient = 0

  constructor(environment: RuntimeEnvironment, options: InterpreterOptions) {
    super(environment)
    this.#options = options
    environment.setVariable('range', new runtime.Function((args: RuntimeValue[]) => this.#range(args)))
  }

  override evaluate(node: TemplateNode | undefined, environment: RuntimeEnvironment): RuntimeValue {
    this.#charge(1)
    const value = super.evaluate(node, environment) ?? UNDEFINED
    // What a step makes is charged too: one that doubles a text, or walks a list, is no single step.
    if (isString(value)) this.#charge(value.value.length >> 6)
    else if (isArray(value)) this.#charge(value.value.length)
    else if (isObject(value)) this.#charge(value.value.size)
    else if (node !== undefined && (isUndefined(value) || value.type === 'NullValue') && this.#options.iterables.has(node)) {
      return new runtime.Array([])
    }
    return value
  }

  override evaluateBlock(nodes: readonly TemplateNode[], environment: RuntimeEnvironment): RuntimeValue {
    let text = ''
    for (const node of nodes) text += textOf(this.evaluate(node, environment))
    return stringValue(text)
  }

  override evaluateIdentifier(node: TemplateNode, environment: RuntimeEnvironment): RuntimeValue {
    const value = super.evaluateIdentifier(node, environment)
    return isUndefined(value) ? this.#missing(String(node.value)) : value
  }

  override evaluateMemberExpression(node: TemplateNode, environment: RuntimeEnvironment): RuntimeValue {
    const object = this.evaluate(node.object as TemplateNode, environment)
    const property = node.property as TemplateNode
    if (node.computed === true && property.type === 'SliceExpression') {
      return isUndefined(object) ? UNDEFINED : this.evaluateSliceExpression(object, property, environment)
    }
    const key = node.computed === true ? this.evaluate(property, environment).value : property.value
    return memberOf(object, key) ?? this.#missing(String(key))
  }

  override evaluateBinaryExpression(node: TemplateNode, environment: RuntimeEnvironment): RuntimeValue {
    const operator = (node.operator as { value: string }).value
    if (operator !== '==' && operator !== '!=' && operator !== '~' && operator !== '+') {
      return super.evaluateBinaryExpression(node, environment)
    }
    const left = this.evaluate(node.left as TemplateNode, environment)
    const right = this.evaluate(node.right as TemplateNode, environment)
    if (operator === '~') return stringValue(textOf(left) + textOf(right))
    if (operator === '+') return this.#add(left, right)
    return booleanValue(this.#isEqual(left, right) === (operator === '=='))
  }

  override evaluateTestExpression(node: TemplateNode, environment: RuntimeEnvironment): RuntimeValue {
    const name = (node.test as TemplateNode).value
    return name === 'defined' || name === 'undefined'
      ? this.#leniently(() => super.evaluateTestExpression(node, environment))
      : super.evaluateTestExpression(node, environment)
  }

  override evaluateFilterExpression(node: TemplateNode, environment: RuntimeEnvironment): RuntimeValue {
    const name = filterName(node.filter as TemplateNode)
    const evaluateOperand = () => this.evaluate(node.operand as TemplateNode, environment)
    const operand = name === 'default' || name === 'd' ? this.#leniently(evaluateOperand) : evaluateOperand()
    return this.applyFilter(operand, node.filter as TemplateNode, environment)
  }

  override applyFilter(operand: RuntimeValue, filter: TemplateNode, environment: RuntimeEnvironment): RuntimeValue {
    const name = filterName(filter)
    const hasArguments = filter.type === 'CallExpression' && (filter.args as unknown[]).length > 0
    if (isUndefined(operand) && name !== 'default' && name !== 'd') return UNDEFINED
    if (name === 'tojson' && !hasArguments) return compactJson(operand)
    const own = name === undefined ? undefined : FILTERS.get(name)
    if (own !== undefined) {
      const [args, named] = hasArguments ? this.evaluateArguments(filter.args, environment) : [[], new Map<string, RuntimeValue>()]
      return own({ operand, args, named })
    }
    const isScalar = !isArray(operand) && !isObject(operand) && !isString(operand)
    const input = isScalar && name !== undefined && TEXT_FILTERS.has(name) ? stringValue(textOf(operand)) : operand
    const called = filter.type === 'CallExpression' && !hasArguments ? (filter.callee as TemplateNode) : filter
    return super.applyFilter(input, called, environment) ?? UNDEFINED
  }

  #missing(name: string): RuntimeValue {
    if (this.#options.strict && this.#lenient === 0) throw new TemplateError(`"${name}" is undefined`, { details: { name } })
    return UNDEFINED
  }

  #leniently<T>(evaluate: () => T): T {
    this.#lenient += 1
    try {
      return evaluate()
    } finally {
      this.#lenient -= 1
    }
  }

  #charge(steps: number): void {
    this.#steps += steps
    if (this.#steps > this.#options.stepBudget) {
      throw new TemplateError(`The template takes more than ${this.#options.stepBudget} steps`, {
        code: 'TEMPLATE_TOO_COMPLEX',
        details: { stepBudget: this.#options.stepBudget },
      })
    }
  }

  #add(left: RuntimeValue, right: RuntimeValue): RuntimeValue {
    if (isArray(left) && isArray(right)) return new runtime.Array([...left.value, ...right.value])
    const isNothing = (value: RuntimeValue) => isUndefined(value) || value.type === 'NullValue'
    if (isNothing(left) || isNothing(right)) throw new Error(`Cannot add ${left.type} and ${right.type}`)
    if (isString(left) || isString(right)) return stringValue(textOf(left) + textOf(right))
    if (!isNumeric(left) || !isNumeric(right)) throw new Error(`Cannot add ${left.type} and ${right.type}`)
    const sum = Number(left.value) + Number(right.value)
    return left.type === 'FloatValue' || right.type === 'FloatValue' ? new runtime.Float(sum) : numberValue(sum)
  }

  #isEqual(left: RuntimeValue, right: RuntimeValue): boolean {
    this.#charge(1)
    if (isArray(left)) {
      return (
        isArray(right) &&
        left.value.length === right.value.length &&
        left.value.every((item, index) => this.#isEqual(item, right.value[index] ?? UNDEFINED))
      )
    }
    if (isObject(left)) {
      if (!isObject(right) || left.value.size !== right.value.size) return false
      for (const [key, item] of left.value) {
        const other = right.value.get(key)
        if (other === undefined || !this.#isEqual(item, other)) return false
      }
      return true
    }
    if (isNumeric(left) && isNumeric(right)) return Number(left.value) === Number(right.value)
    return left.type === right.type && left.value === right.value
  }

  #range(args: readonly RuntimeValue[]): RuntimeValue {
    const numbers = args.map((value) => {
      if (value.type !== 'IntegerValue') throw new Error(`range() needs integers, got ${value.type}`)
      return value.value as number
    })
    const [start, stop, step] = numbers.length < 2 ? [0, numbers[0] ?? 0, 1] : [numbers[0] ?? 0, numbers[1] ?? 0, numbers[2] ?? 1]
    if (step === 0) throw new Error('range() step must not be zero')
    const length = Math.max(0, Math.ceil((stop - start) / step))
    this.#charge(length) // before it is built
    return new runtime.Array(Array.from({ length }, (_, index) => numberValue(start + index * step)))
  }
}

const filterName = (filter: TemplateNode): string | undefined => {
  const named = filter.type === 'CallExpression' ? (filter.callee as TemplateNode) : filter
  return named.type === 'Identifier' ? (named.value as string) : undefined
}

function memberOf(object: RuntimeValue, key: unknown): RuntimeValue | undefined {
  if (typeof key === 'number' && (isArray(object) || isString(object))) {
    const item = object.value.at(key)
    return typeof item === 'string' ? stringValue(item) : item
  }
  if (typeof key !== 'string' && typeof key !== 'number') return undefined
  const name = String(key)
  return (isObject(object) ? object.value.get(name) : undefined) ?? object.builtins.get(name)
}
