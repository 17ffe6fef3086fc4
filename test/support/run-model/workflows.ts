import type { WorkflowDefinitionInput } from '../../../src/definition/index.js'
import { type CreateWorkflowParams, WorkflowEngine } from '../../../src/engine/index.js'
import { MemoryStorage, type WorkflowRow } from '../../../src/storage/index.js'
import { FakeClock, sequentialIds } from '../../../src/testing/index.js'

/** What a schedule may run. `once` must not be done twice; `deaf` does not hear of aborts. */
export const KINDS = [
  ...(['plain', 'retries', 'loop', 'once', 'deaf', 'page', 'pause', 'pauseCounts', 'limit'] as const),
  ...(['parent', 'parentOfPause', 'lender', 'starter', 'grandparent', 'everything'] as const),
] as const
export type Kind = (typeof KINDS)[number]

/** Handlers that the workflows name; each host has its own. */
export const HANDLER_NAMES = ['noop', 'work', 'deaf', 'flaky', 'slow', 'fail'] as const

const code = (label: string, handler: (typeof HANDLER_NAMES)[number], more: object = {}) => ({
  type: 'code' as const,
  label,
  handler,
  ...more,
})
const page = (label: string) => ({ type: 'goto_url' as const, label, url: 'https://a.test/' })
const ask = (label: string, timeoutSeconds: number) => ({ type: 'human_interaction' as const, label, instructions: 'Look', timeoutSeconds })
const trigger = (label: string, workflowPermanentId: string, more: object = {}) => ({
  ...{ type: 'workflow_trigger' as const, label, workflowPermanentId, payload: { ms: '{{ ms }}' } },
  ...more,
})

const parameters = [{ kind: 'workflow' as const, key: 'ms', type: 'integer' as const, default: 0 }]
const items = { kind: 'workflow' as const, key: 'items', type: 'json' as const, default: [1, 2, 3] }
const last = { finallyBlockLabel: 'last' }

/** `idOf` names the workflows that others run. */
function definitionOf(kind: Kind, idOf: (kind: Kind) => string): WorkflowDefinitionInput {
  switch (kind) {
    case 'plain':
      return { parameters, blocks: [code('a', 'work'), code('b', 'noop'), code('last', 'work')], ...last }
    case 'retries':
      return {
        parameters,
        blocks: [
          code('a', 'flaky', { maxRetries: 2 }),
          code('b', 'fail', { continueOnFailure: true, maxRetries: 1 }),
          code('last', 'fail'),
        ],
        ...last,
      }
    case 'loop': {
      const loopBlocks = [code('x', 'work'), code('y', 'flaky', { maxRetries: 1 })]
      const loop = { type: 'for_loop' as const, label: 'loop', loopOverParameterKey: 'items', loopBlocks }
      return { parameters: [...parameters, items], blocks: [code('a', 'noop'), loop, code('b', 'noop')] }
    }
    case 'once':
      return {
        parameters,
        blocks: [code('a', 'noop'), code('b', 'work', { idempotent: false }), code('c', 'noop'), code('last', 'noop')],
        ...last,
      }
    case 'deaf':
      return { parameters, blocks: [code('a', 'deaf'), code('b', 'noop')] }
    case 'page':
      return { parameters, blocks: [page('open'), code('a', 'work'), page('again'), code('last', 'work')], ...last }
    case 'pause':
      return { parameters, blocks: [code('a', 'work'), ask('ask', 20), code('b', 'work'), code('last', 'work')], ...last }
    case 'pauseCounts':
      return { parameters, blocks: [ask('ask', 50), ask('more', 50), code('b', 'work')] }
    case 'limit':
      return { parameters, blocks: [code('a', 'work'), code('b', 'slow'), code('last', 'work')], ...last }
    case 'parent':
      return { parameters, blocks: [trigger('child', idOf('plain')), code('b', 'work'), code('last', 'noop')], ...last }
    case 'parentOfPause':
      return { parameters, blocks: [page('open'), trigger('child', idOf('pause')), code('b', 'noop')] }
    case 'lender':
      return { parameters, blocks: [page('open'), trigger('child', idOf('page'), { useParentBrowserSession: true }), page('again')] }
    case 'starter':
      return { parameters, blocks: [trigger('child', idOf('plain'), { waitForCompletion: false }), code('b', 'work')] }
    case 'everything':
      return {
        parameters,
        blocks: [page('open'), code('a', 'work'), ask('ask', 60), trigger('child', idOf('plain')), page('again'), code('last', 'work')],
        ...last,
      }
    case 'grandparent':
      return { parameters, blocks: [trigger('child', idOf('parentOfPause')), code('b', 'noop')] }
  }
}

/** How a workflow is held, beside what it does. */
export interface Terms {
  readonly kind: Kind
  readonly onHostLost: 'fail' | 'resume'
  readonly isLane: boolean
}

const nameOf = ({ kind, onHostLost, isLane }: Terms) => `${kind} ${onHostLost}${isLane ? ' lane' : ''}`

/** Every workflow of every schedule: made once, and put as rows into each world. */
export interface Workflows {
  readonly rows: readonly WorkflowRow[]
  readonly idOf: (terms: Terms) => string
}

let made: Promise<Workflows> | undefined

export function workflows(): Promise<Workflows> {
  made ??= makeWorkflows()
  return made
}

async function makeWorkflows(): Promise<Workflows> {
  const clock = new FakeClock()
  const storage = new MemoryStorage({ clock })
  const handlers = Object.fromEntries(HANDLER_NAMES.map((name) => [name, () => null]))
  const engine = new WorkflowEngine({ storage, clock, ids: sequentialIds(), organizationId: 'acme', handlers })
  await engine.start()
  const ids = new Map<string, string>()
  for (const isLane of [false, true]) {
    for (const onHostLost of ['resume', 'fail'] as const) {
      for (const kind of KINDS) {
        const idOf = (child: Kind) => ids.get(nameOf({ kind: child, onHostLost, isLane: false })) as string
        const limits = kind === 'limit' || kind === 'pauseCounts' ? { maxElapsedTimeMinutes: 1, pauseCounts: kind === 'pauseCounts' } : {}
        const params: CreateWorkflowParams = {
          title: kind,
          definition: definitionOf(kind, idOf),
          onHostLost,
          runSequentially: isLane,
          ...limits,
        }
        ids.set(nameOf({ kind, onHostLost, isLane }), (await engine.createWorkflow(params)).workflowPermanentId)
      }
    }
  }
  await engine.destroy()
  const rows = await storage.find({ table: 'workflows', limit: 1_000 })
  return { rows, idOf: (terms) => ids.get(nameOf(terms)) as string }
}
