import {
  type Action,
  MAX_PLAYBOOK_DEPTH,
  nearestName,
  type Playbook,
  type Step,
  toStep,
  type WorkflowParameter,
} from '../definition/index.js'
import { MissingParameterError, PlaybookError, UnknownParameterError } from '../errors/index.js'
import type { PlaybookSource } from './sequence-ports.js'

/** Finds every playbook that steps call, and what these call, each once. */
export class SequencePlanner {
  readonly #source: PlaybookSource | undefined
  readonly #playbooks = new Map<string, Playbook>()
  /** How deep each playbook calls others; 0: not at all. */
  readonly #depths = new Map<string, number>()

  constructor(source: PlaybookSource | undefined) {
    this.#source = source
  }

  /** The playbooks that were found so far. */
  get playbooks(): ReadonlyMap<string, Playbook> {
    return this.#playbooks
  }

  /**
   * Looks at one step and at all below it.
   * @throws {PlaybookError} `PLAYBOOK_NOT_FOUND`, `PLAYBOOK_TOO_DEEP`
   * @throws {ParameterError} `UNKNOWN_PARAMETERS`, `MISSING_PARAMETERS`
   */
  async add(step: Step): Promise<void> {
    if (step.playbook !== null) await this.#depthOf(step.playbook, [])
  }

  async #depthOf(call: NonNullable<Step['playbook']>, above: readonly string[]): Promise<number> {
    const { name } = call
    const path = [...above, name]
    if (above.includes(name)) throw tooDeep(`Playbook "${name}" calls itself`, path)
    if (path.length > MAX_PLAYBOOK_DEPTH) throw tooDeep(TOO_DEEP, path)
    const playbook = await this.#find(name)
    checkKeys(playbook.parameters, call.parameters)
    let depth = this.#depths.get(name)
    if (depth === undefined) {
      depth = 0
      for (const entry of playbook.steps) {
        const step = toStep(entry)
        if (step.playbook !== null) depth = Math.max(depth, 1 + (await this.#depthOf(step.playbook, path)))
      }
      this.#depths.set(name, depth)
    }
    if (path.length + depth <= MAX_PLAYBOOK_DEPTH) return depth
    throw tooDeep(TOO_DEEP, path)
  }

  async #find(name: string): Promise<Playbook> {
    const known = this.#playbooks.get(name)
    if (known !== undefined) return known
    if (this.#source === undefined) {
      throw new PlaybookError(`There are no playbooks here, and a step calls "${name}"`, { code: 'PLAYBOOK_NOT_FOUND', details: { name } })
    }
    const playbook = await this.#source.find(name)
    this.#playbooks.set(name, playbook)
    return playbook
  }
}

const TOO_DEEP = `Playbooks call each other more than ${MAX_PLAYBOOK_DEPTH} deep`
const tooDeep = (what: string, path: readonly string[]) =>
  new PlaybookError(`${what}: ${path.join(' > ')}`, { code: 'PLAYBOOK_TOO_DEEP', details: { path } })

/** The keys alone: the values are known when the playbook is called. */
function checkKeys(declared: readonly WorkflowParameter[], given: Readonly<Record<string, unknown>>): void {
  const known = declared.map(({ key }) => key)
  const unknown = Object.keys(given).filter((key) => !known.includes(key))
  if (unknown.length > 0) {
    throw new UnknownParameterError(
      unknown.map((key) => ({ key, suggestion: nearestName(key, known) })),
      known,
    )
  }
  const isMissing = ({ key, default: byDefault }: WorkflowParameter) => given[key] == null && byDefault == null
  const missing = declared.filter(isMissing).map(({ key }) => key)
  if (missing.length > 0) throw new MissingParameterError(missing.sort())
}

/** The actions of steps, their `assert`s among them; calls of playbooks have none of their own. Pure. */
export function actionsOf(steps: readonly Step[]): Action[] {
  return steps.flatMap(({ action, assert }) => [action, assert].filter((one) => one !== null))
}
