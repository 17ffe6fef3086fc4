import { airFolders } from '../session-model/air-folders.js'
import { perform, startAgain } from './perform.js'
import type { RunHost } from './run-host.js'
import { isFinal, type RunLedger } from './run-ledger.js'
import { RunModel } from './run-model.js'
import type { Schedule } from './steps.js'

/** After so long without a fault, what an end brings with it has happened: below ended runs nothing that they waited for goes on. */
const SOON_MS = 20_000
/** Every run has ended by then: their longest limits and pauses, taken over and over. */
const REST_LIMIT_MS = 900_000
/** After the last end: sessions of dead hosts, and deliveries. */
const AFTER_MS = 40_000
const STOP_LIMIT_MS = 120_000
const FINAL_SESSION = ['completed', 'failed', 'timeout']

/** Plays a schedule to its end; resolves to what was wrong, nothing if nothing was. `fraction` makes its chances. */
export async function play({ steps, latencyMs }: Schedule, fraction: () => number): Promise<readonly string[]> {
  const model = await RunModel.create({ fraction, latencyMs })
  const { ledger, clock } = model
  await model.addHost(0)
  await model.addHost(1)
  try {
    for (const step of steps) {
      await perform(step, model)
      await clock.advance(0)
      await model.arrived()
      if (ledger.violations.length > 0) return ledger.violations
    }
    await rest(model)
    if (ledger.violations.length > 0) return ledger.violations
    await stopAll(model)
    await checkNothingLeft(model)
    return ledger.violations
  } finally {
    model.end()
  }
}

/** Nothing fails any more: every run ends. */
export async function rest(model: RunModel): Promise<void> {
  const { clock, ledger, hosts } = model
  ledger.forget()
  await model.arrived()
  for (const host of hosts) host.recover()
  for (let waitedMs = 0; hosts.some(({ changing }) => changing !== null) && waitedMs < STOP_LIMIT_MS; waitedMs += 500)
    await clock.advance(500)
  for (const host of hosts) if (host.isStopped) model.follow('start', host, startAgain(host))
  await pass(model, SOON_MS)
  checkBelow(ledger)
  for (let restedMs = 0; ledger.open.length > 0 && restedMs < REST_LIMIT_MS; restedMs += 2_000) await clock.advance(2_000)
  await pass(model, AFTER_MS)
  for (const { workflowRunId, status, isParked } of ledger.open)
    ledger.violation(`${workflowRunId} is still ${status}${isParked ? ', parked' : ''}`)
  if (ledger.open.length > 0) return
  checkRest(model)
}

async function pass({ clock }: RunModel, ms: number): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += 2_000) await clock.advance(2_000)
}

/** No child that somebody waits for is alive under a parent that has ended, and none at all under a canceled one. */
function checkBelow(ledger: RunLedger): void {
  for (const run of ledger.open) {
    const parent = run.parentWorkflowRunId === null ? undefined : ledger.runs.get(run.parentWorkflowRunId)
    if (parent === undefined || !isFinal(parent)) continue
    const isBound = run.awaitedByRunBlockId !== null || parent.status === 'canceled'
    if (isBound) ledger.violation(`${run.workflowRunId} is ${run.status}, and its parent ${parent.workflowRunId} ${parent.status}`)
  }
}

function checkRest(model: RunModel): void {
  const { ledger, hosts, sessions, sent } = model
  for (const run of model.runs) checkRun(run.workflowRunId, ledger)
  for (const row of ledger.sessions.values()) {
    const { browserSessionId: id, status, leaseToken } = row
    if (FINAL_SESSION.includes(status)) continue
    if (!sessions.includes(id)) ledger.violation(`${id}, which is private, is still ${status}`)
    if (leaseToken !== null) ledger.violation(`${id} is held by ${row.runnableId}`)
    if (!hosts.some(({ hostId }) => hostId === row.hostId)) ledger.violation(`${id} is of a host that is gone`)
  }
  if (ledger.lanes.size > 0) ledger.violation(`lanes are left: ${[...ledger.lanes.keys()].join()}`)
  for (const { deliveryId, workflowRunId, status } of ledger.deliveries.values()) {
    if (status !== 'delivered') ledger.violation(`${deliveryId} of ${workflowRunId} is ${status}`)
    const ids = [...(sent.get(workflowRunId) ?? [])]
    if (ids.join() !== deliveryId) ledger.violation(`${workflowRunId} was delivered as ${ids.join()}`)
  }
  for (const { hostId, driver } of hosts) {
    const living = [...ledger.sessions.values()].filter((row) => row.hostId === hostId && !FINAL_SESSION.includes(row.status)).length
    if (driver.liveHandles !== living) ledger.violation(`${hostId} has ${driver.liveHandles} browsers for ${living} sessions`)
  }
  for (const name of model.unsettled) ledger.violation(`${name} has not settled`)
}

/** Row, blocks and events tell the same. */
function checkRun(workflowRunId: string, ledger: RunLedger): void {
  const run = ledger.runs.get(workflowRunId)
  const events = ledger.eventsOf(workflowRunId)
  const say = (what: string) => ledger.violation(`${workflowRunId}: ${what}`)
  const count = (type: string) => events.filter((event) => event.type === type).length
  if (count(`run.${run?.status}`) !== 1) say(`its final events are not one ${run?.status}`)
  if (count('run.started') !== (run?.startedAt === null ? 0 : 1)) say('its start is not told once')
  if (count('run.resumed') > count('run.paused')) say('was resumed more often than paused')
  if (run?.isParked) say('is parked')
  const rows = ledger.blocksOf(workflowRunId)
  const begun = count('block.started')
  const ended = events.filter(({ type }) => /^block\.(completed|failed|terminated|canceled|timed_out|retried)$/.test(type)).length
  if (begun !== rows.length || ended !== rows.length) say(`of ${rows.length} attempts ${begun} beginnings and ${ended} ends are told`)
  const hasFinished = rows.every(({ status, finishedAt }) => status !== 'running' && finishedAt !== null)
  if (!hasFinished) say('a block has not finished')
}

export async function stopAll({ hosts, clock, ledger }: RunModel): Promise<void> {
  let stopped = 0
  const stop = async ({ engine, pool }: RunHost) => {
    await engine.stop()
    await pool.stop()
  }
  for (const host of hosts) {
    stop(host).then(
      () => (stopped += 1),
      (error: unknown) => ledger.violation(`a stop failed: ${String(error)}`),
    )
  }
  for (let waitedMs = 0; stopped < hosts.length && waitedMs < STOP_LIMIT_MS; waitedMs += 1_000) await clock.advance(1_000)
  if (stopped < hosts.length) ledger.violation('a host does not stop')
  await clock.advance(15_000) // the last late launch
}

export async function checkNothingLeft({ hosts, clock, ledger, memory }: RunModel): Promise<void> {
  if (clock.pendingTimers > 0) ledger.violation(`${clock.pendingTimers} timers are left`)
  for (const { hostId, driver } of hosts) {
    if (driver.liveHandles > 0) ledger.violation(`${hostId} left ${driver.liveHandles} browsers`)
    const folders = airFolders(hostId).length
    if (folders > 0) ledger.violation(`${hostId} left ${folders} folders`)
  }
  const living = await memory.count('hosts', { hostId: { in: hosts.map(({ hostId }) => hostId) } })
  if (living > 0) ledger.violation(`${living} hosts that have stopped are told of`)
}
