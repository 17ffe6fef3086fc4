import type { FakeLaunch } from '../../../src/testing/index.js'
import { type Given, isInUse } from './ledger.js'
import type { Model } from './model.js'
import type { ModelHost } from './model-host.js'
import type { Step } from './steps.js'

const RUNNABLE_TYPE = 'workflow_run'
const LAUNCHES: Readonly<Record<'slow' | 'failing' | 'stuck' | 'late', FakeLaunch>> = {
  slow: { delayMs: 2_000 },
  failing: { fails: 'crashed', delayMs: 100 },
  stuck: { delayMs: 9_000 },
  late: { delayMs: 12_000, ignoresDeadline: true },
}

/** The steps that may be one of these. */
type Of<K extends Step['do'], S = Step> = S extends { readonly do: infer D } ? ([Extract<K, D>] extends [never] ? never : S) : never

/** Begins what a step says, and does not wait for it; picks that name nothing do nothing. */
export async function perform(step: Step, model: Model): Promise<void> {
  const host = 'host' in step ? model.hosts[step.host] : undefined
  if ('host' in step && host === undefined) return
  if (step.do === 'advance') return model.clock.advance(step.ms)
  if (step.do === 'skewStorage' || step.do === 'forceRelease') model.ledger.allowOverlap()
  if (step.do === 'skewStorage') return model.skew(step.ms)
  if (step.do === 'die') return replace(step.host, model)
  if (host === undefined) return withLease(step as LeaseStep, model)
  switch (step.do) {
    case 'create':
      return create(step, host, model)
    case 'acquire':
      return acquire(step, host, model)
    case 'occupy':
    case 'attach':
      return take(step, host, model)
    case 'closeAll':
      return model.follow('closeAll', host, host.pool.closeAll({ organizationId: step.organization, timeoutMs: step.timeoutMs }))
    case 'restart':
      return restart(host, model)
    case 'recover':
      return host.recover()
    case 'skewHost':
      return host.clock.skew(step.ms)
    case 'weather':
      host.storage.weather = step
      return
    case 'slow':
    case 'failing':
    case 'stuck':
    case 'late':
      return host.driver.scriptLaunch(LAUNCHES[step.do])
    case 'crash':
    case 'disconnect':
    case 'hang':
      return withBrowser(step, host, model)
    default:
      return withSession(step as Of<'renewSession' | 'close'>, host, model)
  }
}

function create(step: Of<'create'>, host: ModelHost, model: Model): void {
  const { organization: organizationId, isHeld, isRelaunched, isIdling, isAttachable } = step
  const spec = {
    organizationId,
    timeoutMinutes: 5,
    attachable: isAttachable,
    onBrowserLost: isRelaunched ? ('relaunch' as const) : ('fail' as const),
    idleTimeoutMinutes: isIdling ? 1 : null,
  }
  if (!isHeld) {
    const created = host.pool.create(spec).then((session) => model.know(session))
    model.follow('create', host, created)
    return
  }
  const runnable = { runnableType: RUNNABLE_TYPE, runnableId: model.nextRunnable() }
  const to = { host, runnableId: runnable.runnableId, requestId: 'first', runnableFence: 0 }
  model.followLease('createOccupied', to, host.pool.createOccupied({ ...spec, runnable }))
}

function acquire(step: Of<'acquire'>, host: ModelHost, model: Model): void {
  const { organization: organizationId, priority, kind, affinityKey, timeoutMs, abortAfterMs } = step
  const abort = new AbortController()
  if (abortAfterMs !== undefined) model.clock.setTimer(() => abort.abort(new Error('gone')), abortAfterMs)
  const spec = kind === 0 ? {} : { viewport: { width: 800, height: 600 }, attachable: true }
  const to = { host, runnableId: model.nextRunnable(), requestId: 'first', runnableFence: 0 }
  const { runnableId } = to
  const wanted = { organizationId, priority, affinityKey, spec, timeoutMs, runnableType: RUNNABLE_TYPE, runnableId, signal: abort.signal }
  model.followLease('acquire', to, host.pool.acquire(wanted), timeoutMs)
}

/** By the host that has the browser, or by another, which connects to it. */
function take(step: Of<'occupy' | 'attach'>, host: ModelHost, model: Model): void {
  const session = model.sessions.at(-1 - step.session)
  if (session === undefined) return
  const last = model.ledger.given.findLast(({ lease }) => lease.browserSessionId === session.browserSessionId)
  const by =
    step.by === 'stranger' || last === undefined ? { runnableId: model.nextRunnable(), requestId: 'first', runnableFence: 0 } : last
  const { runnableId } = by
  // the same request repeated, or a new life of the same run, whose former one is dead
  const to = { host, runnableId, requestId: by.requestId, runnableFence: step.by === 'newer' ? by.runnableFence + 1 : by.runnableFence }
  const requestId = step.by === 'newer' ? `r${to.runnableFence}` : to.requestId
  if (step.by === 'newer') model.ledger.allowOverlap()
  const request = { ...session, runnableType: RUNNABLE_TYPE, runnableId, requestId, runnableFence: to.runnableFence }
  if (step.do === 'attach') {
    model.followLease('attach', { ...to, requestId }, host.pool.attach(request))
    return
  }
  const wait = step.waitMs === undefined ? undefined : { timeoutMs: step.waitMs }
  model.followLease('occupy', { ...to, requestId }, host.pool.occupy({ ...request, wait }), step.waitMs)
}

type LeaseStep = Of<'release' | 'commit' | 'renew'>

function withLease(step: LeaseStep, model: Model): void {
  const given = model.ledger.given.filter(({ host }) => !host.isDead).at(-1 - step.lease)
  if (given === undefined) return
  const { lease } = given
  if (step.do === 'touch') lease.touch()
  else if (step.do === 'renew') renew(given, model)
  else if (step.do === 'closeOwn') closeOwn(given, model)
  else if (step.do === 'commit') commit(given, step.isApplied, model)
  else release(given, (step as Of<'release'>).how, model)
}

function release(given: Given, how: Of<'release'>['how'], model: Model): void {
  given.isGivenUp = true
  const options = how === 'sanitize' ? { sanitize: { cookies: true, tabs: true } } : { outcome: how }
  model.follow('release', given.host, given.lease.release(options))
}

/** Whoever is refused has been told. */
function renew(given: Given, model: Model): void {
  const { lease, host } = given
  const wasInUse = isInUse(given)
  const renewed = lease.renew().catch((error: { readonly code?: string }) => {
    const isTold = lease.signal.aborted || !lease.isHeld || given.isGivenUp // a release under way is not disturbed
    if (wasInUse && !isTold && error.code === 'STALE_LEASE') model.ledger.violation(`${lease.browserSessionId}: refused, and not told`)
    throw error
  })
  model.follow('renew', host, renewed)
}

/** Ends the session that one holds; who cannot goes on holding it. */
function closeOwn(given: Given, model: Model): void {
  const { lease, host, isGivenUp } = given
  const { organizationId, browserSessionId } = lease.session
  given.isGivenUp = true
  const closed = host.pool.close({ organizationId, browserSessionId, lease }).catch((error: unknown) => {
    given.isGivenUp = isGivenUp
    throw error
  })
  model.follow('close of one’s own', host, closed)
}

/** Releases it in a commit of the holder’s own, or finds that this cannot be. */
function commit(given: Given, isApplied: boolean, model: Model): void {
  const { lease } = given
  const wasGivenUp = given.isGivenUp
  const writes = lease.releaseWrites()
  if (writes.length === 0) return
  given.isGivenUp = true
  const work = async () => {
    const result = isApplied ? await model.storage.commit(writes) : undefined
    lease.markReleased(result?.ok ?? false, result?.ok ? (result.events[1] ?? []) : [])
    if (result?.ok !== true) given.isGivenUp = wasGivenUp
  }
  model.follow('commit of a release', given.host, work())
}

function withSession(step: Of<'renewSession' | 'close'>, host: ModelHost, model: Model): void {
  const session = model.sessions.at(-1 - step.session)
  if (session === undefined) return
  const { pool } = host
  const calls: Readonly<Record<(typeof step)['do'], () => Promise<unknown>>> = {
    renewSession: () => pool.renew({ ...session, minutes: 'minutes' in step ? step.minutes : 1 }),
    renewOrClose: () => pool.renewOrClose({ ...session, minutes: 'minutes' in step ? step.minutes : 1 }),
    close: () => pool.close(session),
    force: () => pool.close({ ...session, force: true }),
    retire: () => pool.retire(session),
    forceRelease: () => pool.forceRelease(session),
  }
  model.follow(step.do, host, calls[step.do]())
}

function withBrowser(step: Of<'crash' | 'hang'>, host: ModelHost, model: Model): void {
  const browser = host.browsers.at(-1 - step.browser)
  if (browser === undefined) return
  if (step.do === 'hang') {
    browser.hang(...step.what)
    return
  }
  const happen = () => (step.do === 'crash' ? browser.crash() : host.disconnect(browser))
  if (step.afterMs === 0) happen()
  else model.clock.setTimer(happen, step.afterMs)
}

async function replace(place: number, model: Model): Promise<void> {
  model.hosts[place]?.die()
  await model.addHost(place)
}

/** What it cannot end goes on counting after the next start. */
function restart(host: ModelHost, model: Model): void {
  const again = async () => {
    await host.pool.stop()
    await model.whileStarting(host.pool.start())
  }
  model.follow('restart', host, again())
}
