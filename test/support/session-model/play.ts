import type { AnyEvent } from '../../../src/events/index.js'
import type { BrowserSessionRow } from '../../../src/storage/schema.js'
import { airFolders } from './air-folders.js'
import { Model, type ModelOptions } from './model.js'
import { perform } from './perform.js'
import type { Step } from './steps.js'

/** After this long without a fault every call has settled, and what a dead host or a lost answer left has been found. */
const REST_MS = 60_000
const STOP_LIMIT_MS = 120_000

const FAILED = ['crashed', 'launch_failed', 'probe_failed', 'orphan']
const TIMED_OUT = ['expired', 'idle_ttl']

/** Plays a schedule to its end; resolves to what was wrong, nothing if nothing was. */
export async function play(schedule: readonly Step[], options: ModelOptions): Promise<readonly string[]> {
  const model = new Model(options)
  const { clock, hosts, ledger } = model
  const isWrong = () => ledger.violations.length > 0
  await model.addHost(0)
  await model.addHost(1)
  for (const step of schedule) {
    await perform(step, model)
    await clock.advance(0)
    await model.started()
    model.check()
    if (isWrong()) return ledger.violations
  }
  model.recover()
  for (let restedMs = 0; restedMs < REST_MS; restedMs += 2_000) {
    await model.started() // a stop that is under way may be followed by a start at any moment
    await clock.advance(2_000)
  }
  model.check()
  ledger.checkRest(hosts)
  for (const name of model.unsettled) ledger.violation(`${name} has not settled`)
  if (isWrong()) return ledger.violations
  await stop(model)
  ledger.checkEnd()
  await checkNothingLeft(model)
  await checkTruth(model, schedule)
  return ledger.violations
}

async function stop({ hosts, clock, ledger }: Model): Promise<void> {
  let stopped = 0
  for (const { pool } of hosts) {
    pool.stop().then(
      () => (stopped += 1),
      (error: unknown) => ledger.violation(`a stop failed: ${String(error)}`),
    )
  }
  const limitMs = clock.monotonicMs() + STOP_LIMIT_MS
  while (stopped < hosts.length && clock.monotonicMs() < limitMs) await clock.advance(1_000)
  if (stopped < hosts.length) ledger.violation('a pool does not stop')
  await clock.advance(15_000) // the last late launch
}

async function checkNothingLeft({ hosts, clock, ledger, memory }: Model): Promise<void> {
  for (const { driver, hostId, baseDirectory } of hosts) {
    const folders = airFolders(baseDirectory).length // those of a host that died wait for the next one to start on its machine
    if (folders > 0) ledger.violation(`${hostId} left ${folders} folders`)
    if (driver.liveHandles + driver.pendingLaunches > 0) ledger.violation(`${hostId} left ${driver.liveHandles} browsers`)
    const listeners = driver.handles.reduce((sum, { listenerCount }) => sum + listenerCount, 0)
    if (listeners > 0) ledger.violation(`${hostId} left ${listeners} listeners on its browsers`)
  }
  if (clock.pendingTimers > 0) ledger.violation(`${clock.pendingTimers} timers are left`)
  const slots = await memory.count('browser_sessions', { organizationSlot: { isNull: false } })
  if (slots > 0) ledger.violation(`${slots} slots of organisations are left`)
}

/** Every row says what became of its session, and its events tell the same. */
async function checkTruth({ memory, ledger, told }: Model, schedule: readonly Step[]): Promise<void> {
  const rows = await memory.find({ table: 'browser_sessions', limit: 1_000 })
  const allowed = reasonsOf(schedule)
  const isAnswerLost = schedule.some((step) => step.do === 'weather')
  const hasDied = schedule.some((step) => step.do === 'die') // who has died tells nobody
  for (const row of rows) {
    const { browserSessionId: id, status, closeReason } = row
    const reason = String(closeReason)
    const meant = FAILED.includes(reason) ? 'failed' : TIMED_OUT.includes(reason) ? 'timeout' : 'completed'
    if (status !== meant) ledger.violation(`${id} is ${status}, by ${reason}`)
    if (!allowed.has(reason)) ledger.violation(`${id} ended by ${reason}, which did not happen`)
    if (reason === 'launch_failed' && row.startedAt !== null && !isAnswerLost) ledger.violation(`${id} ended by ${reason}, and had started`)
    const events = await memory.readEvents({ stream: `session:${id}` })
    for (const problem of storyProblems(row, events)) ledger.violation(`${id}: ${problem}`)
    for (const { id: event, type } of events) {
      const times = told.get(event) ?? 0
      if (times > 1 || (times < 1 && !hasDied)) ledger.violation(`${id}: listeners heard ${times} times of ${type}`)
    }
  }
}

function reasonsOf(schedule: readonly Step[]): ReadonlySet<string> {
  const did = new Set<string>(schedule.map((step) => step.do))
  const has = (...steps: readonly Step['do'][]) => steps.some((step) => did.has(step))
  const reasons = new Set(['shutdown', 'expired', 'idle_ttl'])
  if (has('close', 'force', 'closeOwn')) reasons.add('user')
  if (has('retire', 'closeAll')) reasons.add('drained')
  if (has('release')) reasons.add('tainted').add('probe_failed')
  if (has('crash', 'disconnect', 'hang')) reasons.add('crashed').add('probe_failed').add('tainted')
  if (has('failing', 'stuck', 'late', 'slow', 'acquire', 'restart', 'weather', 'crash', 'disconnect')) reasons.add('launch_failed')
  if (has('die', 'weather', 'skewStorage')) reasons.add('orphan')
  return reasons
}

function storyProblems(row: BrowserSessionRow, events: readonly unknown[]): readonly string[] {
  const story = events as readonly AnyEvent[]
  const problems: string[] = []
  const of = (type: AnyEvent['type']) => story.filter((event) => event.type === type)
  const fences = of('session.occupied').map((event) => (event.payload as { leaseFence: number }).leaseFence)
  if (fences.some((fence, index) => fence <= (fences[index - 1] ?? 0))) problems.push(`its fences are told as ${fences.join(', ')}`)
  const released = of('session.released').map((event) => (event.payload as { leaseFence: number }).leaseFence)
  if (released.join() !== fences.join())
    problems.push(`its leases are told as ${fences.join(', ')}, and their ends as ${released.join(', ')}`)
  if (of('session.closed').length !== 1 || story.at(-1)?.type !== 'session.closed') {
    problems.push(`its events are ${story.map(({ type }) => type).join(', ')}, and it is ${row.status}`)
  }
  return problems
}
