import { measureCancel } from '../actions/cancel.js'
import { measureClickOverhead } from '../actions/click-overhead.js'
import { measureNetworkGuard } from '../actions/network-guard.js'
import { measureRecovery } from '../actions/recovery.js'
import { measureScopeCheck } from '../actions/scope-check.js'
import { measureStatements } from '../actions/statements.js'
import type { Area } from '../lib/area.js'

export const area: Area = {
  name: 'actions',
  describe: [
    'Actions of runs, through everything that an action of a block goes through: checks, deadline, settling, record. On headless Chromium, with a site in a process of its own, unless it says otherwise.',
    '',
    '- `routerOverheadMs`: what a click through `context.page` takes longer than `page.click` of Playwright on the same buttons of the same page, in turns; the median of the differences. `routerClickMs`, `playwrightClickMs`: the two.',
    '- `scopeCheckUs`: what a policy adds to an action: the same clicks on a page of the fake driver in a run with a policy and in one without, in turns. `scriptedActionUs`: an action there without one. `networkCheckUs`: what the proxy asks of the policy about a connection, for its name and its address.',
    '- `networkGuardOverheadPct`: how much longer a page with 200 sub-resources takes to load behind the guard with a policy; `routeOverheadPct`: with `context.route` that lets everything pass. The three loads take turns; the target is 15 %, and half of what `context.route` costs. `plainLoadMs`: the plain load; `plainLoadCpuMs`, `guardedLoadCpuMs`, `routedLoadCpuMs`: how long the host computes for each.',
    '- `cancelMs`: from the cancel of a run on a session, whose click waits for an element that never comes, to the result of the run.',
    '- `recoverByAlternativeTargetMs`: from the deadline of a click whose target is gone (its id has changed) to the click that found the element by another recorded way; the picture that is taken of the failure is in it.',
    '- `statementsPerAction`: statements to Postgres, `BEGIN` and `COMMIT` among them, of a run whose block performs 50 quick actions (fake driver), over those of the same run without actions, by 50. `statementsOfRun`, `statementsOfEmptyRun`: the two. `statementsPerActionChromium`: the same with clicks on a real page, of which fewer come together in one write.',
  ].join('\n'),
  targets: {
    routerOverheadMs: { op: '<=', value: 1 },
    networkGuardOverheadPct: { op: '<=', value: ({ routeOverheadPct = Number.NaN }) => Math.min(15, routeOverheadPct / 2) },
    cancelMs: { op: '<=', value: 250 },
    statementsPerAction: { op: '<=', value: 0.2 },
  },
  async measure(context) {
    const { routerOverheadMs = Number.NaN, ...clicks } = await measureClickOverhead(context)
    const { scopeCheckUs = Number.NaN, ...checks } = await measureScopeCheck(context)
    const { networkGuardOverheadPct = Number.NaN, routeOverheadPct = Number.NaN, ...loads } = await measureNetworkGuard(context)
    const { cancelMs } = await measureCancel(context)
    const { recoverByAlternativeTargetMs } = await measureRecovery(context)
    const { statementsPerAction = Number.NaN, ...statements } = await measureStatements(context)
    const guard = { networkGuardOverheadPct, routeOverheadPct }
    return {
      figures: { routerOverheadMs, scopeCheckUs, ...guard, cancelMs, recoverByAlternativeTargetMs, statementsPerAction },
      details: { ...clicks, ...checks, ...loads, ...statements },
    }
  },
}
