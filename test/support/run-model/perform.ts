import type { RunHost } from './run-host.js'
import { isFinal } from './run-ledger.js'
import type { RunModel } from './run-model.js'
import type { Step } from './steps.js'

type Of<D extends Step['do']> = Extract<Step, { do: D }>

/** Has a step happen; what it begins goes on in the background. */
export async function perform(step: Step, model: RunModel): Promise<void> {
  if (step.do === 'advance') return model.clock.advance(step.ms)
  if (!('afterCommits' in step) || step.afterCommits === 0) return happen(step, model)
  model.ledger.after(step.afterCommits, () => model.whileComing(happen(step, model)))
}

async function happen(step: Exclude<Step, { do: 'advance' }>, model: RunModel): Promise<void> {
  const host = model.hosts[step.host] as RunHost
  if (!host.hasArrived) return // a process takes the place of another: nothing happens to it on its way
  switch (step.do) {
    case 'start':
      return start(step, host, model)
    case 'cancel': {
      const run = pick(model, step.run)
      if (run !== undefined) model.followCancel(host, run.workflowRunId)
      return
    }
    case 'resume': {
      const paused = model.runs.filter(({ status }) => status === 'paused')
      const run = paused.at(-1 - step.run) ?? paused.at(-1)
      if (run === undefined) return
      const { workflowRunId } = run
      return model.follow('resume', host, host.engine.resume({ workflowRunId, decision: step.decision, by: 'ada' }))
    }
    case 'createSession':
      return model.createSession(host)
    case 'closeSession': {
      const browserSessionId = model.sessions.at(-1 - step.session)
      if (browserSessionId !== undefined) model.follow('close', host, host.pool.close({ browserSessionId, force: true }))
      return
    }
    case 'crash':
      return host.driver.handles
        .filter(({ isAlive }) => isAlive)
        .at(-1 - step.browser)
        ?.crash()
    case 'weather':
      host.storage.weather = { latencyMs: step.latencyMs, fault: step.fault }
      return
    case 'recover':
      return host.recover()
    case 'die':
      host.die()
      await model.addHost(step.host)
      return
    case 'freeze':
      return host.clock.freeze()
    case 'stop':
      return stop(step, host, model)
    case 'skew':
      return host.clock.skew(step.ms)
  }
}

/** One that has not ended, if there is one. */
function pick(model: RunModel, number: number) {
  const open = model.runs.filter((run) => !isFinal(run))
  return open.at(-1 - number) ?? model.runs.at(-1 - number)
}

function start(step: Of<'start'>, host: RunHost, model: RunModel): void {
  const browserSessionId = step.session === undefined ? undefined : model.sessions.at(-1 - step.session.number)
  const waitMs = step.session?.waitMs
  const dependency = step.dependsOn === undefined ? undefined : pick(model, step.dependsOn)
  const started = host.engine.startRun({
    workflowPermanentId: model.workflows.idOf(step),
    parameters: { ms: step.ms },
    priority: step.priority,
    ...(browserSessionId === undefined ? {} : { browserSessionId }),
    ...(browserSessionId === undefined || waitMs === undefined ? {} : { wait: { timeoutMs: waitMs } }),
    ...(dependency === undefined ? {} : { dependsOnWorkflowRunId: dependency.workflowRunId }),
    ...(step.hasWebhook ? { webhookCallbackUrl: model.webhookUrl } : {}),
  })
  model.follow('start', host, started)
}

function stop({ timeoutMs, withPool, isRestarted }: Of<'stop'>, host: RunHost, model: RunModel): void {
  if (host.changing !== null) return
  const work = async () => {
    host.isStopped = true
    await host.engine.stop(timeoutMs === undefined ? { graceful: false } : { timeoutMs })
    if (withPool) await host.pool.stop()
    if (isRestarted) await startAgain(host)
  }
  host.changing = work().finally(() => {
    host.changing = null
  })
  model.follow('stop', host, host.changing)
}

export async function startAgain(host: RunHost): Promise<void> {
  await host.start()
  host.isStopped = false
}
