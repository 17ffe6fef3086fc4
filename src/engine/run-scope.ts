import { type ContextParameter, contextPath, readPath, resolveContextParameter } from '../definition/index.js'
import type { Json } from '../errors/index.js'

export interface RunScopeOptions {
  /** Names that stay as they are for the whole run: `workflow_title` and its like. */
  readonly constants: Readonly<Record<string, unknown>>
  /** Names that are computed when a template asks for them. */
  readonly computed: Readonly<Record<string, () => unknown>>
  /** Coerced parameters, and references for secrets. */
  readonly parameters: Readonly<Record<string, unknown>>
  readonly contextParameters: readonly ContextParameter[]
  /** Outputs given at the start, by label. */
  readonly blockOutputs: Readonly<Record<string, Json>>
}

interface LoopVariables {
  readonly index: number
  readonly current?: { readonly value: Json } | undefined
}

/** What templates see: parameters, outputs of blocks, variables of the loops around them. */
export class RunScope {
  readonly #names = new Map<string, unknown>()
  readonly #computed: ReadonlyMap<string, () => unknown>
  readonly #contextParameters: ReadonlyMap<string, ContextParameter>
  readonly #outputs = new Map<string, Json>()
  readonly #loops: LoopVariables[] = []

  constructor(options: RunScopeOptions) {
    for (const [name, value] of Object.entries({ ...options.constants, ...options.parameters })) this.#names.set(name, value)
    this.#computed = new Map(Object.entries(options.computed))
    this.#contextParameters = new Map(options.contextParameters.map((parameter) => [parameter.key, parameter]))
    for (const [label, output] of Object.entries(options.blockOutputs)) this.setOutput(label, output)
  }

  /** The value of a variable; undefined when there is none. */
  readonly lookUp = (name: string): unknown => {
    const loop = this.#loops.at(-1)
    if (loop !== undefined && name.startsWith('current_')) {
      if (name === 'current_index') return loop.index
      if (name === 'current_value' || name === 'current_item') return this.#currentValue()
    }
    const context = this.#contextParameters.get(name)
    if (context !== undefined) return resolveContextParameter(context, this.lookUp)
    return this.#computed.has(name) ? this.#computed.get(name)?.() : this.#names.get(name)
  }

  /** The value at a dotted path; undefined when there is none. */
  resolve(path: string): unknown {
    const [name, ...rest] = contextPath(path) ?? []
    return name === undefined ? undefined : readPath(this.lookUp(name), rest)
  }

  /** Sets `<label>_output` and its alias `<label>`. */
  setOutput(label: string, output: Json): void {
    this.#outputs.set(label, output)
    this.#names.set(label, output)
    this.#names.set(`${label}_output`, output)
  }

  unsetOutput(label: string): void {
    this.#outputs.delete(label)
    this.#names.delete(label)
    this.#names.delete(`${label}_output`)
  }

  /** Outputs of every block that ran, by `<label>_output`. */
  outputs(): Record<string, Json> {
    return Object.fromEntries([...this.#outputs].map(([label, output]) => [`${label}_output`, output]))
  }

  /** The same by label. */
  outputsByLabel(): Record<string, Json> {
    return Object.fromEntries(this.#outputs)
  }

  /** The loop variables as rows keep them; null outside loops. */
  get currentIndex(): number | null {
    return this.#loops.at(-1)?.index ?? null
  }

  get currentValue(): Json {
    return this.#currentValue() ?? null
  }

  /** Sets loop variables for as long as `work` takes; an outer loop's are restored after it. */
  async inLoop<T>(variables: LoopVariables, work: () => Promise<T>): Promise<T> {
    this.#loops.push(variables)
    try {
      return await work()
    } finally {
      this.#loops.pop()
    }
  }

  /** The same for a value that is computed at once. */
  withIndex<T>(index: number, evaluate: () => T): T {
    this.#loops.push({ index })
    try {
      return evaluate()
    } finally {
      this.#loops.pop()
    }
  }

  #currentValue(): Json | undefined {
    return this.#loops.findLast((loop) => loop.current !== undefined)?.current?.value
  }
}
