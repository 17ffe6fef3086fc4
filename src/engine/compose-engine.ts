import { ActionRouter, AgentRunner, ScopeProxy } from '../actions/index.js'
import { BlockRegistry } from '../blocks/index.js'
import { createTemplates } from '../definition/index.js'
import { type AnyEvent, logListenerErrors, type RunEventType, TypedBus } from '../events/index.js'
import { createIds } from '../runtime/index.js'
import { Artifacts, guardStorage } from '../storage/index.js'
import { ChildRuns } from './children/child-runs.js'
import { composeDispatch } from './dispatch/compose-dispatch.js'
import { SubmitGates } from './dispatch/submit-gates.js'
import { InProcessDispatcher } from './dispatcher.js'
import type { EngineSettings } from './engine-options.js'
import { EventFactory } from './event-factory.js'
import { GuestActions } from './guest-actions.js'
import { LocalRuns } from './local-runs.js'
import { OwnRuns } from './own-runs.js'
import { ParkedSessions } from './parked-sessions.js'
import { expirePauses } from './people/pause-expiry.js'
import { PauseTimers } from './people/pause-watch.js'
import { RunResumes } from './people/run-resumes.js'
import { Playbooks } from './playbooks.js'
import { RunCanceller } from './run-canceller.js'
import type { RunEnvironment } from './run-environment.js'
import { RunExecutor } from './run-executor.js'
import { RunPruner } from './run-pruner.js'
import { RunReader } from './run-reader.js'
import { RunSubmissions } from './run-submission.js'
import { RunTimelines } from './run-timeline.js'
import { ScopePolicies } from './scope-policies.js'
import { SingleActions } from './single-actions.js'
import { Telemetry } from './telemetry/index.js'
import { Webhooks } from './webhooks/index.js'
import { WorkflowUpdates } from './workflow-updates.js'
import { Workflows } from './workflows.js'

/** The collaborators of an engine, tied together. */
export function composeEngine(settings: EngineSettings) {
  const { clock, logger, sessions, handlers, maxObservationChars } = settings
  const hasAgent = settings.agent !== undefined
  const storage = guardStorage(settings.storage)
  const ids = settings.ids ?? createIds({ clock })
  const bus = new TypedBus<RunEventType>(settings.onListenerError ?? logListenerErrors(logger))
  const localRuns = new LocalRuns()
  const emit = (event: AnyEvent) => {
    localRuns.see(event)
    bus.emit(event)
  }
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
  const dispatcher = settings.dispatcher ?? new InProcessDispatcher({ concurrency: settings.concurrency, clock })
  const parked = new ParkedSessions({ storage, sessions, logger })
  const artifacts = new Artifacts({ storage, store: settings.artifacts, ids })
  const router = new ActionRouter({ clock, ids, timeouts: settings })
  const webhooks = new Webhooks({
    ...{ storage, events, emit, clock, logger, hostId },
    settings: settings.webhooks,
    credentials: settings.credentials,
  })
  const dispatch = composeDispatch({
    ...{ storage, clock, logger, ids, events, emit, hostId, dispatcher, workflows, localRuns },
    leaseTtlMs: settings.leaseTtlMs,
    listeners: [webhooks, { ended: (run) => children.ended(run) }, { ended: (run) => pauses.over(run.workflowRunId) }],
  })
  const { leases, ends, endUnexecuted } = dispatch
  const canceller = new RunCanceller({ storage, leases, endUnexecuted, dispatcher, logger })
  const pauses = new PauseTimers({ storage, clock, logger, notifier: settings.notifier, expire: (run) => resumes.expire(run) })
  const resumes = new RunResumes({ storage, events, emit, dispatcher, logger, onDecided: (workflowRunId) => pauses.over(workflowRunId) })
  const children = new ChildRuns({
    ...{ storage, workflows, dispatcher, logger },
    submit: (request, companions) => submissions.submitWith(request, companions),
    waitFor: (params) => reader.waitFor(params),
    cancel: (request) => canceller.cancel(request),
  })
  const templates = createTemplates({ strict: settings.strictTemplates })
  const environment: RunEnvironment = {
    storage,
    sessions: sessions === undefined ? undefined : children.lent.over(sessions),
    pauses,
    children,
    ends,
    parked,
    localRuns,
    artifacts,
    registry,
    handlers,
    credentials: settings.credentials,
    templates,
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
  const executor = new RunExecutor({ environment, workflows, leases, dispatcher, ttlMs: settings.leaseTtlMs })
  const gates = new SubmitGates({ ...settings, storage })
  const submissions = new RunSubmissions({
    ...{ storage, workflows, sessions, scopePolicies, events, emit, ids, templates, gates },
    starts: executor,
    onQueued: dispatch.onQueued,
  })
  dispatch.service.addLook({ what: 'pauses whose time is over', work: () => expirePauses({ storage, resumes }) })
  dispatch.service.addLook({ what: 'runs whose parent has ended', work: () => children.cancelOrphans() })
  dispatch.service.addLook({ what: 'sessions of paused runs', work: () => parked.sweep() })
  const reader = new RunReader({ storage, clock, localRuns })
  const ownRuns = new OwnRuns({ workflows, submissions, dispatcher, hasAgent })
  const guests = new GuestActions({ storage, guestsOf: (workflowRunId) => executor.guestsOf(workflowRunId) })
  return {
    storage,
    bus,
    workflows,
    workflowUpdates: new WorkflowUpdates({ storage, workflows, scopePolicies, events, emit, ids }),
    playbooks,
    canceller,
    artifacts,
    dispatcher,
    executor,
    ownRuns,
    singleActions: new SingleActions({ storage, gates, logger, ownRuns, guests, reader, canceller, hasAgent }),
    timelines: new RunTimelines({ storage, workflows }),
    dispatch: dispatch.service,
    submissions,
    resumes,
    pauses,
    children,
    pruner: new RunPruner({ storage, artifacts, logger }),
    reader,
    webhooks,
    telemetry: new Telemetry({
      ...{ tracer: settings.tracer, spanContext: settings.spanContext, meter: settings.meter, bus, clock, logger },
      figures: { runsExecuted: () => leases.all().length, webhooksSent: () => webhooks.sendingCount },
    }),
  }
}
