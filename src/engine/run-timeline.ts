import { computeConditionalScopes } from '../definition/index.js'
import { RunNotFoundError } from '../errors/index.js'
import type { ActionRow, Row, RunBlockRow, RunRow, StepRow, Storage, TableName, TaskRow } from '../storage/index.js'
import { allBlocks, type CompiledWorkflow, levelOf } from './compiled-workflow.js'
import { type AttemptParts, buildTimeline, type TimelineBlock } from './timeline-tree.js'
import type { Workflows } from './workflows.js'

/** What a run did, as a reader follows it. */
export interface RunTimeline {
  readonly workflowRunId: string
  readonly workflowPermanentId: string
  readonly status: RunRow['status']
  /** Top level, in the order in which they began. */
  readonly blocks: readonly TimelineBlock[]
}

type OwnTable = Extract<TableName, 'run_blocks' | 'actions' | 'tasks' | 'steps'>

/** Rows that one read gives at most. */
const PAGE_SIZE = 10_000

/** Reads runs back block by block: four reads, whatever the number of blocks; more only beyond 10,000 rows of one kind. */
export class RunTimelines {
  readonly #storage: Storage
  readonly #workflows: Workflows

  constructor(options: { readonly storage: Storage; readonly workflows: Workflows }) {
    this.#storage = options.storage
    this.#workflows = options.workflows
  }

  /** @throws {RunNotFoundError} `RUN_NOT_FOUND` */
  async get(params: { readonly organizationId: string; readonly workflowRunId: string }): Promise<RunTimeline> {
    const { organizationId, workflowRunId } = params
    const run = await this.#storage.get('runs', workflowRunId)
    if (run === undefined || run.organizationId !== organizationId) throw new RunNotFoundError(workflowRunId)
    const [blocks, actions, tasks, steps] = await Promise.all([
      this.#all('run_blocks', workflowRunId, (row) => row.runBlockId),
      this.#all('actions', workflowRunId, (row) => row.actionId),
      this.#all('tasks', workflowRunId, (row) => row.taskId),
      this.#all('steps', workflowRunId, (row) => row.stepId),
    ])
    const scopeOf = await this.#conditionalScopes(run)
    const rows = blocks.sort((a, b) => a.sequence - b.sequence)
    const { workflowPermanentId, status } = run
    return { workflowRunId, workflowPermanentId, status, blocks: buildTimeline(rows, partsOf(actions, tasks, steps), scopeOf) }
  }

  async #all<T extends OwnTable>(table: T, workflowRunId: string, idOf: (row: Row<T>) => string): Promise<Row<T>[]> {
    const all: Row<T>[] = []
    for (let after: string | undefined; ; ) {
      const where = { workflowRunId } as never
      const page = await this.#storage.find({ table, where, limit: PAGE_SIZE, ...(after === undefined ? {} : { after }) })
      all.push(...page)
      const last = page.at(-1)
      if (page.length < PAGE_SIZE || last === undefined) return all
      after = idOf(last)
    }
  }

  /** By label, the conditional whose branch a block stands in; a run of picked blocks is a plain list, in which none branches. */
  async #conditionalScopes(run: RunRow): Promise<ReadonlyMap<string, string>> {
    if (run.blockLabels !== null) return new Map()
    const workflow = await this.#workflows.findPinned(run.workflowId)
    return workflow === null ? new Map() : scopesOf(workflow)
  }
}

const knownScopes = new WeakMap<CompiledWorkflow, ReadonlyMap<string, string>>()

/** The scopes of every level of a version, worked out once; labels are unique over the whole tree. */
function scopesOf(workflow: CompiledWorkflow): ReadonlyMap<string, string> {
  const known = knownScopes.get(workflow)
  if (known !== undefined) return known
  const loops = allBlocks(workflow.definition.blocks).flatMap((block) => ('loopBlocks' in block ? [block.loopBlocks as never] : []))
  const levels = [workflow.level, ...loops.map(levelOf)]
  const scopes = new Map(levels.flatMap(({ graph }) => [...computeConditionalScopes(graph)]))
  knownScopes.set(workflow, scopes)
  return scopes
}

function partsOf(actions: readonly ActionRow[], tasks: readonly TaskRow[], steps: readonly StepRow[]): (row: RunBlockRow) => AttemptParts {
  const actionsOf = grouped(actions, (action) => action.runBlockId)
  const tasksOf = grouped(tasks, (task) => task.runBlockId)
  const stepsOf = grouped(steps, (step) => step.taskId)
  return ({ runBlockId }) => {
    const task = tasksOf.get(runBlockId)?.[0] ?? null
    return { actions: actionsOf.get(runBlockId) ?? [], task, steps: task === null ? [] : (stepsOf.get(task.taskId) ?? []) }
  }
}

function grouped<R>(rows: readonly R[], keyOf: (row: R) => string): ReadonlyMap<string, R[]> {
  const groups = new Map<string, R[]>()
  for (const row of rows) {
    const group = groups.get(keyOf(row))
    if (group === undefined) groups.set(keyOf(row), [row])
    else group.push(row)
  }
  return groups
}
