import { type FaultyStorage, faultyStorage } from '../../../src/testing/index.js'
import { checkNothingLeft, rest, stopAll } from './play.js'
import type { RunHost } from './run-host.js'
import { isFinal } from './run-ledger.js'
import { RunModel } from './run-model.js'

/** How a call of the storage fails, and what comes of it. */
export interface Fault {
  /** `named`: on a session that is there; `private`: in a browser of its own. */
  readonly session: 'named' | 'private'
  /** `before`, `after`: once, without its work done, or with its answer lost. `onwards`: every one from it on, until another host comes. */
  readonly how: 'before' | 'after' | 'onwards'
  readonly onHostLost: 'resume' | 'fail'
}

export interface DrillResult {
  /** Whether the run came to that call. */
  readonly isReached: boolean
  readonly status: string
  readonly errorCode: string | null
  readonly violations: readonly string[]
}

/** Longer than a lease, and than what is given back with it. */
const LOST_FOR_MS = 12_000
const LIMIT_MS = 240_000
const STEP_MS = 50

/**
 * One run with browser, pause, child, finally block and webhook, whose host finds its storage failing at the n-th call: whoever asked asks
 * again; the same engine goes on, or, where the storage does not come back, another takes its place.
 */
export async function drill(failAtCall: number, { session, how, onHostLost }: Fault): Promise<DrillResult> {
  const model = await RunModel.create({ fraction: () => 0.5, latencyMs: 0 })
  const { clock, ledger } = model
  let faulty!: FaultyStorage
  const one = await model.addHost(0, (inner) => {
    faulty = faultyStorage(inner)
    return faulty
  })
  await clock.advance(200)
  const browserSessionId = session === 'named' ? model.sessions[0] : undefined
  const error = () => Object.assign(new Error('The weather: a call was made to fail'))
  faulty.reset(how === 'onwards' ? { failAtCall, fails: 'onwards', error } : { failAtCall, when: how, error })
  const request = {
    workflowPermanentId: model.workflows.idOf({ kind: 'everything', onHostLost, isLane: true }),
    parameters: { ms: 100 },
    webhookCallbackUrl: model.webhookUrl,
    idempotencyKey: 'once',
    ...(browserSessionId === undefined ? {} : { browserSessionId }),
  }
  let isReached = false
  let lostForMs = 0
  for (let passedMs = 0; passedMs < LIMIT_MS && !hasEnded(model); passedMs += STEP_MS) {
    isReached = faulty.calls >= failAtCall
    if (isReached && how === 'onwards') lostForMs += STEP_MS
    if (lostForMs > LOST_FOR_MS && !one.isDead) {
      one.die()
      await model.addHost(0)
    }
    await ask(model, model.hosts[0] as RunHost, request)
    await clock.advance(STEP_MS)
  }
  isReached ||= faulty.calls >= failAtCall
  if (!one.isDead) faulty.reset()
  await rest(model)
  await stopAll(model)
  await checkNothingLeft(model)
  model.end()
  const run = model.runs.find(({ parentWorkflowRunId }) => parentWorkflowRunId === null)
  return { isReached, status: run?.status ?? 'absent', errorCode: run?.errorCode ?? null, violations: ledger.violations }
}

const hasEnded = ({ runs, ledger }: RunModel) =>
  runs.length > 0 && runs.every(isFinal) && [...ledger.deliveries.values()].every(({ status }) => status !== 'pending')

/** Somebody who wants the run, and answers it: as long as it takes. */
async function ask({ runs, ledger }: RunModel, { engine }: RunHost, request: Parameters<RunHost['engine']['startRun']>[0]): Promise<void> {
  const [run] = runs
  const refused = (error: unknown) => {
    const { code, message } = error as { code?: string; message: string }
    if (!message.includes('The weather') && code !== 'RUN_NOT_PAUSED' && code !== 'NOT_RUNNING')
      ledger.violation(`refused: ${code} ${message}`)
  }
  if (run === undefined) await engine.startRun(request).catch(refused)
  else if (run.status === 'paused') await engine.resume({ workflowRunId: run.workflowRunId, decision: 'approve', by: 'ada' }).catch(refused)
}
