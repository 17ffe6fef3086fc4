import { expect, it } from 'vitest'
import type { FakeClock } from '../../../src/testing/index.js'
import { code, type Definition, handlers, otherwise, runRow, settle, streamOf, when } from './kit.js'
import { expectSound, twoHosts } from './takeover-kit.js'

const pass = (clock: FakeClock, ms: number) => settle(new Promise<void>((resolve) => clock.setTimer(resolve, ms)), clock)

const definition: Definition = {
  parameters: [{ kind: 'workflow', key: 'list', type: 'json', default: [1, 2] }],
  blocks: [
    code('first', 'noop', { nextBlockLabel: 'loop' }),
    {
      type: 'for_loop',
      label: 'loop',
      loopOverParameterKey: 'list',
      loopBlocks: [code('x', 'count'), code('y')],
      nextBlockLabel: 'go',
    },
    {
      type: 'action',
      label: 'go',
      url: 'https://a.test/',
      steps: [{ type: 'click', target: { css: '#go' } }],
      nextBlockLabel: 'choose',
    },
    { type: 'conditional', label: 'choose', branches: [when('{{ x_output > 0 }}', 'left'), otherwise('right')] },
    code('left', 'noop', { nextBlockLabel: 'end' }),
    code('right', 'noop', { nextBlockLabel: 'end' }),
    code('end', 'count'),
    code('last'),
  ],
  finallyBlockLabel: 'last',
}

/** One run whose host dies at its n-th commit; whether it came to that. */
async function drill(params: { n: number; when: 'before' | 'after'; onHostLost: 'resume' | 'fail'; pool: 'own' | 'common' }) {
  const { n, onHostLost, pool } = params
  let calls = 0
  const counting = { ...handlers, count: () => ++calls }
  const hosts = await twoHosts({ pool, engine: { handlers: counting } })
  const { one, faulty, clock, memory } = hosts
  const { workflowPermanentId } = await one.engine.createWorkflow({
    title: 'A test',
    definition,
    onHostLost,
    runSequentially: true,
  })
  const session = await hosts.pool?.create()
  await one.engine.startRun({ workflowPermanentId, ...(session === undefined ? {} : { browserSessionId: session.browserSessionId }) })
  faulty.reset({ calls: ['commit'], failAtCall: n, when: params.when, fails: 'onwards' })
  const place = `${JSON.stringify(params)}`
  for (let turn = 0; turn < 600 && faulty.calls < n && (await runRow(memory)).finishedAt === null; turn++) await pass(clock, 100)
  await pass(clock, 100)
  const isReached = faulty.calls >= n
  if (isReached) hosts.die() // nothing of it is left, reads neither
  const other = await hosts.startOther()
  // in small steps, as browsers make real folders: fake time must not run away from them
  for (let turn = 0; turn < 3_000 && (await runRow(memory)).finishedAt === null; turn++) await pass(clock, 100)
  // a session on a dead host is ended by the reaper of another, when that host's own lease is over
  const seenToMs = pool === 'own' && isReached ? 20_000 : 100
  await pass(clock, seenToMs)
  const { run, rows } = await expectSound(memory, place)
  const events = await streamOf(memory)
  if (onHostLost === 'resume') expect([place, run.status, run.failureReason]).toEqual([place, 'completed', null])
  else expect([place, run.status === 'completed' || run.errorCode === 'HOST_LOST']).toEqual([place, true])
  expect([place, rows.some(({ label, status }) => label === 'last' && status === 'completed')]).toEqual([place, true])
  expect([place, events.filter(({ type }) => type === 'run.started').length]).toEqual([place, 1])
  if (run.status === 'completed') {
    const ended = rows.filter(({ status }) => status === 'completed').map(({ label }) => label)
    expect([place, ended.sort()]).toEqual([place, ['choose', 'end', 'first', 'go', 'last', 'left', 'loop', 'x', 'x', 'y', 'y']])
    expect([place, Object.keys(run.outputs ?? {}).sort()]).toEqual([place, COMPLETE_OUTPUTS])
  }
  await other.engine.stop()
  return { isReached, status: run.status, takeovers: run.takeovers }
}

const COMPLETE_OUTPUTS = ['choose', 'end', 'first', 'go', 'last', 'left', 'loop', 'x', 'y'].map((label) => `${label}_output`).sort()

it.each([
  ['resume', 'own', 'before'],
  ['resume', 'own', 'after'],
  ['resume', 'common', 'before'],
  ['resume', 'common', 'after'],
  ['fail', 'own', 'before'],
  ['fail', 'own', 'after'],
  ['fail', 'common', 'before'],
  ['fail', 'common', 'after'],
] as const)(
  'a host that dies at any commit of a run leaves one that another ends soundly: %s, with its %s pool, %s the commit',
  async (onHostLost, pool, when) => {
    const seen = new Set<string>()
    let n = 1
    for (; n < 60; n++) {
      const { isReached, status, takeovers } = await drill({ n, when, onHostLost, pool })
      seen.add(`${status} ${takeovers}`)
      if (!isReached) break
    }
    expect(n).toBeGreaterThan(10)
    expect(n).toBeLessThan(60)
    expect([...seen].some((end) => end.endsWith(' 1'))).toBe(true)
  },
  60_000,
)

it.each(['before', 'after'] as const)(
  'a host that dies around a pause leaves one that another goes on with: %s any commit',
  async (when) => {
    const page = { type: 'goto_url' as const, url: 'https://a.test/' }
    const blocks = [
      { ...page, label: 'open' },
      { type: 'human_interaction' as const, label: 'ask', instructions: 'Look' },
      { ...page, label: 'again' },
      code('last'),
    ]
    let n = 1
    for (let isReached = true; isReached; n++) {
      const place = `pause, ${when} ${n}`
      const hosts = await twoHosts({ pool: 'own' })
      const { one, faulty, clock, memory } = hosts
      await one.start({ blocks, finallyBlockLabel: 'last' }, { workflow: { onHostLost: 'resume', runSequentially: true } })
      faulty.reset({ calls: ['commit'], failAtCall: n, when, fails: 'onwards' })
      const approve = async (engine: typeof one.engine) => {
        const { status } = await runRow(memory)
        if (status === 'paused') await engine.resume({ workflowRunId: 'wr_1', decision: 'approve', by: 'ada' }).catch(() => null)
      }
      for (let turn = 0; turn < 600 && faulty.calls < n && (await runRow(memory)).finishedAt === null; turn++) {
        await pass(clock, 100)
        await approve(one.engine)
      }
      await pass(clock, 100)
      isReached = faulty.calls >= n
      if (isReached) hosts.die()
      const other = await hosts.startOther()
      for (let turn = 0; turn < 3_000 && (await runRow(memory)).finishedAt === null; turn++) {
        await pass(clock, 100)
        await approve(other.engine)
      }
      await pass(clock, 20_000)
      const { run, events } = await expectSound(memory, place)
      expect([place, run.status, run.failureReason]).toEqual([place, 'completed', null])
      const told = events.filter(({ type }) => type === 'run.paused' || type === 'run.resumed').map(({ type }) => type)
      expect([place, told]).toEqual([place, ['run.paused', 'run.resumed']])
      await Promise.all([other.engine.stop(), pass(clock, 100)])
    }
    expect(n).toBeGreaterThan(8)
  },
  60_000,
)
