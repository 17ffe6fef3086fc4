import { afterEach } from 'vitest'
import { DebugSessions, type DebugSessionsOptions } from '../../../src/debug/index.js'
import type { WorkflowEngineOptions } from '../../../src/engine/index.js'
import type { AnyEvent } from '../../../src/events/index.js'
import type { SessionPoolOptions } from '../../../src/sessions/index.js'
import type { FakeBrowserDriverOptions } from '../../../src/testing/index.js'
import { code, type Definition, handlers as defaultHandlers, settle, startHost, type World } from '../engine/kit.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** Handlers that give what they were told, what they see, or what their test says. */
export const handlers = {
  ...defaultHandlers,
  one: () => 1,
  sees: ({ outputs }: { outputs: Record<string, unknown> }) => outputs,
}

/** A loop with a block in it, between two plain ones. */
export const definition: Definition = {
  parameters: [{ kind: 'workflow', key: 'list', type: 'json', default: [7] }],
  blocks: [
    code('a', 'one'),
    { type: 'for_loop', label: 'loop', loopOverParameterKey: 'list', loopBlocks: [code('inner', 'one')] },
    code('b', 'sees'),
  ],
}

/** A host with debug sessions, and a workflow to debug. */
export async function startDebug(
  options: {
    debug?: Partial<DebugSessionsOptions>
    engine?: Partial<WorkflowEngineOptions>
    pool?: Partial<SessionPoolOptions>
    driver?: FakeBrowserDriverOptions
    world?: World
    definition?: Definition
  } = {},
) {
  const { debug: more, definition: own, ...rest } = options
  const host = await startHost({ ...rest, engine: { handlers: handlers as never, ...options.engine } })
  const { storage, engine, pool: sessions, clock, ids } = host
  const debug = new DebugSessions({ storage, engine, sessions, clock, ids, organizationId: 'acme', ...more })
  const told: AnyEvent[] = []
  debug.onAny((event) => told.push(event))
  cleanups.push(() => settle(debug.stop(), clock))
  const { workflowPermanentId } = await engine.createWorkflow({ title: 'Invoices', definition: own ?? definition })
  const place = { userId: 'ada', workflowPermanentId }
  const open = () => settle(debug.getOrCreate(place), clock)
  /** Runs blocks and waits for their run. */
  const runBlocks = async (debugSessionId: string, labels: string[], params: object = {}) => {
    const run = await settle(debug.runBlocks({ debugSessionId, labels, ...params }), clock)
    return settle(run.result(), clock)
  }
  return { ...host, debug, told, workflowPermanentId, place, open, runBlocks }
}
