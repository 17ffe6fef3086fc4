import type { BlockType } from '../blocks/index.js'
import type { BlockDefinition } from '../definition/index.js'
import type { Ids } from '../runtime/index.js'
import { type NewRow, type RunBlockRow, type RunRow, storageNow } from '../storage/index.js'
import { type AttemptParams, type BlockPlace, begunBlock, identityOf } from './begun-block.js'
import type { CompiledWorkflow } from './compiled-workflow.js'
import { minutesForPeople } from './people-session.js'
import { intentAtBegin } from './run-intent.js'

const AT_TOP: BlockPlace = { parentRunBlockId: null, currentIndex: null, currentValue: null }

/**
 * The block that a run begins with as soon as it is claimed, as nothing has to be set up before it: no secret is to be fetched, no browser to
 * be had, no policy to be held, no intent to be dated. Null: there may be something. Pure.
 */
export function firstBlockOf(
  run: Pick<NewRow<RunRow>, 'blockLabels' | 'browserSessionId' | 'browserAddress' | 'scopePolicy'>,
  { level, blocks, definition, row }: CompiledWorkflow,
  typeOf: (block: BlockDefinition) => BlockType | undefined,
): BlockDefinition | null {
  const isPlain = run.blockLabels == null && run.browserSessionId == null && run.browserAddress == null && run.scopePolicy == null
  if (!isPlain || row.scopePolicy !== null || level.graph.root === null) return null
  if (definition.parameters.some(({ kind }) => kind === 'secret') || minutesForPeople(blocks.values()) !== null) return null
  const first = level.blocks.get(level.graph.root)
  const type = first === undefined ? undefined : typeOf(first)
  if (first === undefined || type === undefined || intentAtBegin(first, type, new Date(0)) !== null) return null
  return first
}

/** The first attempt of a run, as the commit writes it that stores and claims the run. Pure but for the id. */
export function firstAttempt(run: AttemptParams['run'], block: BlockDefinition, ids: Ids) {
  const attempt = begunBlock({ runBlockId: ids.next('rb'), run, block, place: AT_TOP, attempt: 1, sequence: 1, intent: null })
  const row: NewRow<RunBlockRow> = { ...attempt, startedAt: storageNow() }
  return { row, identity: identityOf(attempt) }
}
