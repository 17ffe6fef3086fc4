import { ActionRouter, AgentRunner, ScopeProxy } from '../actions/index.js'
import { BlockRegistry } from '../blocks/index.js'
import { createTemplates } from '../definition/index.js'
import { type AnyEvent, logListenerErrors, type RunEventType, TypedBus } from '../events/index.js'
import { createIds } from '../runtime/index.js'
import { Artifacts, guardStorage } from '../storage/index.js'
import { InProcessDispatcher } from './dispatcher.js'
import type { EngineSettings } from './engine-options.js'
import { EventFactory } from './event-factory.js'
import { GuestActions } from './guest-actions.js'
import { OwnRuns } from './own-runs.js'
import { Playbooks } from './playbooks.js'
import { QueuedRunSweep } from './queued-run-sweep.js'
import { RunCanceller } from './run-canceller.js'
import type { RunEnvironment } from './run-environment.js'
import { RunExecutor } from './run-executor.js'
import { RunLeases } from './run-leases.js'
import { RunPruner } from './run-pruner.js'
import { RunReader } from './run-reader.js'
import { RunRecovery } from './run-recovery.js'
import { RunSubmissions } from './run-submission.js'
import { RunTimelines } from './run-timeline.js'
import { ScopePolicies } from './scope-policies.js'
import { SingleActions } from './single-actions.js'
import { Workflows } from './workflows.js'

/** The collaborators of an engine, tied together. */
export function composeEngine(settings: EngineSettings) {
  const { clock, logger, sessions, handlers, maxObservationChars } = settings
  const hasAgent = settings.agent !== undefined
  const storage = guardStorage(settings.storage)
  const ids = settings.ids ?? createIds({ clock })
  const bus = new TypedBus<RunEventType>(settings.onListenerError ?? logListenerErrors(logger))
  const emit = (event: AnyEvent) => bus.emit(event)
  const events = new EventFactory(ids)
  const registry = new BlockRegistry(settings.blocks)
  const scopePolicies = new ScopePolicies({ organization: settings.scopePolicy, guardrails: settings.guardrails, clock })
  sessions?.useNetworkGuard?.(new ScopeProxy({ clock }))
  const playbooks = new Playbooks({ storage, ids })
  const workflows = new Workflows({
    storage,
    playbooks,
    registry,
    scopePolicies,
    handlers: Object.keys(handlers),
    hasAgent,
    events,
    emit,
    ids,
  })
  const hostId = settings.hostId ?? ids.next('host')
  const leases = new RunLeases({ storage, clock, logger, events, emit, hostId, ttlMs: settings.leaseTtlMs })
  const dispatcher = settings.dispatcher ?? new InProcessDispatcher({ concurrency: settings.concurrency })
  const canceller = new RunCanceller({ storage, workflows, events, emit, leases })
  const artifacts = new Artifacts({ storage, store: settings.artifacts, ids })
  const router = new ActionRouter({ clock, ids, timeouts: settings })
  const environment: RunEnvironment = {
    storage,
    sessions,
    artifacts,
    registry,
    handlers,
    credentials: settings.credentials,
    templates: createTemplates({ strict: settings.strictTemplates }),
    scopePolicies,
    router,
    agent: settings.agent === undefined ? null : new AgentRunner({ agent: settings.agent, router, clock, maxObservationChars }),
    events,
    emit,
    clock,
    ids,
    logger,
    defaultBlockTimeoutSeconds: settings.blockTimeoutSeconds,
    alternativeTargets: settings.alternativeTargets,
  }
  const executor = new RunExecutor({ environment, workflows, leases, dispatcher, canceller })
  const submissions = new RunSubmissions({ storage, workflows, sessions, scopePolicies, events, emit, ids })
  const reader = new RunReader({ storage, clock })
  const ownRuns = new OwnRuns({ workflows, submissions, dispatcher, hasAgent })
  const guests = new GuestActions({ storage, guestsOf: (workflowRunId) => executor.guestsOf(workflowRunId) })
  return {
    storage,
    bus,
    workflows,
    playbooks,
    canceller,
    artifacts,
    dispatcher,
    executor,
    ownRuns,
    singleActions: new SingleActions({ storage, logger, ownRuns, guests, reader, canceller, hasAgent }),
    timelines: new RunTimelines({ storage, workflows }),
    queuedRuns: new QueuedRunSweep({ storage, dispatcher, clock, logger }),
    recovery: new RunRecovery({ storage, clock, logger, events, emit, workflows, leases, hostId, ttlMs: settings.leaseTtlMs }),
    submissions,
    pruner: new RunPruner({ storage, artifacts, logger }),
    reader,
  }
}
