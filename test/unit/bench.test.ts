import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { AreaResult, BenchContext } from '../../bench/lib/area.js'
import { parseBenchArguments } from '../../bench/lib/arguments.js'
import type { Progress } from '../../bench/lib/progress.js'
import { interleave, rate } from '../../bench/lib/rates.js'
import { markdownSection, withSection } from '../../bench/lib/report.js'
import { runArea } from '../../bench/lib/run-area.js'
import { median, medianRatio, medians, percentile } from '../../bench/lib/statistics.js'
import { figureRows, formatNumber, formatTable } from '../../bench/lib/table.js'
import { evaluateTargets } from '../../bench/lib/targets.js'
import { timedMs } from '../../bench/lib/timed.js'
import { medianDifference, takeTurns } from '../../bench/lib/turns.js'
import { CountingStorage } from '../../bench/runs/counting-storage.js'
import { FakeChromeLauncher, SCRIPTED_FAILURE } from '../../bench/sessions/fake-chrome.js'
import { treeMemory } from '../../bench/sessions/process-memory.js'
import { isWonOnce, type RaceOutcome, strayRefusals } from '../../bench/sessions/race-verdict.js'
import { MemoryStorage, type Write } from '../../src/index.js'

describe('statistics', () => {
  it('takes the middle value, or the mean of the middle two', () => {
    expect(median([9, 1, 5])).toBe(5)
    expect(median([10, 2, 9, 1])).toBe(5.5)
    expect(median([])).toBeNaN()
  })

  it('interpolates between neighbours', () => {
    expect(percentile([0, 10], 0.95)).toBeCloseTo(9.5)
    expect(percentile([3, 1, 2], 0)).toBe(1)
    expect(percentile([3, 1, 2], 1)).toBe(3)
  })

  it('leaves the order of the values alone', () => {
    const values = [3, 1, 2]
    median(values)
    expect(values).toEqual([3, 1, 2])
  })

  it('takes each figure over the runs that have it', () => {
    expect(medians([{ a: 1 }, { a: 3, b: 7 }, { a: 2 }])).toEqual({ a: 2, b: 7 })
  })

  it('compares what was measured side by side', () => {
    expect(medianRatio([8, 80, 9], [10, 100, 10])).toBe(0.8)
  })
})

describe('targets', () => {
  it('are met at the value itself', () => {
    const targets = { more: { op: '>=', value: 0.8 }, less: { op: '<=', value: 5 } } as const
    expect(evaluateTargets(targets, { more: 0.8, less: 5 })).toEqual({
      more: { op: '>=', value: 0.8, met: true },
      less: { op: '<=', value: 5, met: true },
    })
    expect(evaluateTargets(targets, { more: 0.79, less: 5.1 })).toMatchObject({ more: { met: false }, less: { met: false } })
  })

  it('can follow from another figure', () => {
    const targets = { batch: { op: '>=', value: ({ single = 0 }: Readonly<Record<string, number>>) => 20 * single } } as const
    expect(evaluateTargets(targets, { single: 100, batch: 1_999 })).toEqual({ batch: { op: '>=', value: 2_000, met: false } })
  })

  it('are missed by what was not measured', () => {
    expect(evaluateTargets({ race: { op: '<=', value: 0 } }, {}).race?.met).toBe(false)
    expect(evaluateTargets({ race: { op: '<=', value: 0 } }, { race: Number.NaN }).race?.met).toBe(false)
  })
})

describe('the table', () => {
  it.each([
    [72_844.8, '72,845'],
    [1_000, '1,000'],
    [123.4, '123'],
    [12.34, '12.3'],
    [1.234, '1.23'],
    [0.01234, '0.0123'],
    [0, '0'],
    [16, '16'],
    [Number.NaN, '-'],
  ])('writes %s as %s', (value, text) => expect(formatNumber(value)).toBe(text))

  it('shows figure, value, target and verdict in columns', () => {
    const targets = evaluateTargets(
      { ratio1: { op: '>=', value: 0.8 }, wakeMedianMs: { op: '<=', value: 5 } },
      { ratio1: 0.9, wakeMedianMs: 7 },
    )
    expect(formatTable(figureRows({ raw1: 5_432.1, ratio1: 0.9, wakeMedianMs: 7 }, targets)).split('\n')).toEqual([
      'figure        value  target',
      'raw1          5,432',
      'ratio1          0.9  >= 0.8  ok',
      'wakeMedianMs      7    <= 5  miss',
    ])
  })
})

describe('the command line', () => {
  const parse = (...argv: string[]) => parseBenchArguments(argv, ['engine', 'storage'])

  it('names one area', () => {
    expect(parse('storage')).toEqual({
      ok: true,
      arguments: { areas: ['storage'], isAll: false, json: false, runs: 3, quick: false, report: false, samples: undefined },
    })
  })

  it('names all areas', () => {
    expect(parse('all', '--json')).toMatchObject({ ok: true, arguments: { areas: ['engine', 'storage'], isAll: true, json: true } })
  })

  it('runs once when quick, unless told otherwise', () => {
    expect(parse('storage', '--quick')).toMatchObject({ arguments: { runs: 1, quick: true } })
    expect(parse('storage', '--quick', '--runs', '4')).toMatchObject({ arguments: { runs: 4 } })
  })

  it('takes a file for the samples', () => {
    expect(parse('storage', '--samples', 'a.json', '--report')).toMatchObject({ arguments: { samples: 'a.json', report: true } })
  })

  it.each([
    ['an unknown area', ['queue'], 'No area "queue"'],
    ['no area', [], 'Which area?'],
    ['two areas', ['storage', 'engine'], 'One area at a time'],
    ['an unknown option', ['storage', '--fast'], '--fast'],
    ['no runs', ['storage', '--runs', '0'], '--runs must be a whole number of 1 or more, not "0"'],
    ['half a run', ['storage', '--runs', '1.5'], '--runs must be'],
  ])('refuses %s and lists the known areas', (_, argv, message) => {
    const parsed = parse(...argv)
    expect(parsed).toMatchObject({ ok: false, message: expect.stringContaining(message) })
    expect(parsed).toMatchObject({ message: expect.stringContaining('areas: engine, storage, all') })
  })
})

describe('a report', () => {
  const machine = { cpu: 'Some CPU', cores: 2, node: '20.20.2', load: 0.5 }
  const result: AreaResult = {
    area: 'storage',
    machine,
    figures: { ratio1: 0.85 },
    details: { page: 1.1 },
    targets: { ratio1: { op: '>=', value: 0.8, met: true } },
    runs: 3,
    quick: false,
    notes: ['Postgres 18'],
  }

  it('is a section with a table', () => {
    expect(markdownSection(result, 'What it is.').split('\n')).toEqual([
      '## storage',
      '',
      'What it is.',
      '',
      'Median of 3 runs; Some CPU, 2 cores, load 0.5, Node 20.20.2; Postgres 18.',
      '',
      '| figure | value | target | |',
      '| --- | ---: | ---: | --- |',
      '| `ratio1` | 0.85 | >= 0.8 | ok |',
      '| `page` | 1.1 |  |  |',
    ])
  })

  it('takes the place of the area’s last one and leaves the rest of the page', () => {
    const page = withSection(withSection('# Benchmarks\n', 'engine', 'one'), 'storage', 'two')
    const again = withSection(page, 'engine', 'three')
    expect(again).toBe(page.replace('one', 'three'))
    expect(again.startsWith('# Benchmarks\n\n<!-- bench engine -->\n\nthree\n\n<!-- /bench engine -->\n')).toBe(true)
  })
})

describe('measuring', () => {
  const quiet = { show() {}, clear() {} } as unknown as Progress
  const machine = { cpu: '', cores: 1, node: '', load: 0 }

  it('takes turns, after a round that does not count', async () => {
    const calls: string[] = []
    let value = 0
    const side = (name: string) => async () => {
      calls.push(name)
      return ++value
    }
    expect(await interleave(2, { a: side('a'), b: side('b') })).toEqual({ a: [4, 5], b: [3, 6] })
    expect(calls.join('')).toBe('abbaab')
  })

  it('takes what each side says in turns, after a tenth of them that do not count', async () => {
    const calls: string[] = []
    let value = 0
    const side = (name: string) => async () => {
      calls.push(name)
      return ++value
    }
    expect(await takeTurns(2, { a: side('a'), b: side('b'), c: side('c') })).toEqual({ a: [4, 9], b: [5, 7], c: [6, 8] })
    expect(calls.join('')).toBe('cababcbca')
  })

  it('compares turn by turn', () => {
    expect(medianDifference([11, 205, 31], [10, 200, 30])).toBe(1)
    expect(medianDifference([11], [])).toBeNaN()
  })

  it('times work until it is done', async () => {
    let isDone = false
    const ms = await timedMs(async () => {
      await sleep(2)
      isDone = true
    })
    expect(isDone).toBe(true)
    expect(ms).toBeGreaterThan(1)
  })

  it('counts what several clients do', async () => {
    const clients = new Set<number>()
    const perSecond = await rate({ clients: 3, ms: 20, work: (client) => sleep(1, clients.add(client)) })
    expect([...clients]).toEqual([0, 1, 2])
    expect(perSecond).toBeGreaterThan(0)
  })

  it('takes medians over runs and closes what they shared, the latest first, once', async () => {
    const closed: string[] = []
    let opened = 0
    const share = (context: BenchContext, key: string) =>
      context.share(key, async () => ({ value: ++opened, close: async () => void closed.push(key) }))
    let run = 0
    const area = {
      name: 'some',
      describe: '',
      targets: { speed: { op: '>=', value: 2 } } as const,
      measure: async (context: BenchContext) => {
        await share(context, 'server')
        await share(context, 'table')
        run++
        context.sample('speed', [run])
        context.note('a fact')
        return { figures: { speed: run }, details: { other: 10 * run } }
      },
    }
    const { result, samples } = await runArea({ area, machine, runs: 3, quick: true, progress: quiet })
    expect(result).toMatchObject({ figures: { speed: 2 }, details: { other: 20 }, targets: { speed: { met: true } }, notes: ['a fact'] })
    expect(samples).toEqual([{ speed: [1] }, { speed: [2] }, { speed: [3] }])
    expect([opened, closed]).toEqual([2, ['table', 'server']])
  })

  it('closes what was shared when a measurement fails', async () => {
    let isClosed = false
    const measure = async (context: BenchContext) => {
      await context.share('server', async () => ({
        value: 1,
        close: async () => {
          isClosed = true
        },
      }))
      throw new Error('no')
    }
    const area = { name: 'some', describe: '', targets: {}, measure }
    await expect(runArea({ area, machine, runs: 1, quick: true, progress: quiet })).rejects.toThrow('no')
    expect(isClosed).toBe(true)
  })
})

describe('the verdict on a race', () => {
  const won = (browserSessionId: string, token: string): RaceOutcome => ({ browserSessionId, token, code: null })
  const lost = (code: string): RaceOutcome => ({ browserSessionId: 'bs_1', token: null, code })
  const row = { browserSessionId: 'bs_1', leaseToken: 'a' }

  it('wants one winner, the one whom the row names', () => {
    const others = [won('bs_2', 'b'), lost('SESSION_OCCUPIED')]
    expect(isWonOnce([won('bs_1', 'a'), ...others], row)).toBe(true)
    expect(isWonOnce(others, row)).toBe(false)
    expect(isWonOnce([won('bs_1', 'a'), won('bs_1', 'c'), ...others], row)).toBe(false)
    expect(isWonOnce([won('bs_1', 'c'), ...others], row)).toBe(false)
    expect(isWonOnce([won('bs_1', 'a')], undefined)).toBe(false)
    expect(isWonOnce([won('bs_1', 'a')], { ...row, leaseToken: null })).toBe(false)
  })

  it('wants losers to be told why', () => {
    expect(strayRefusals([won('bs_1', 'a'), lost('SESSION_OCCUPIED'), lost('SESSION_HOST_UNAVAILABLE'), lost('POOL_SATURATED')])).toBe(0)
    expect(strayRefusals([lost('STORAGE_FAILED'), { ...lost(''), code: null }])).toBe(2)
  })
})

describe('the storage under an engine', () => {
  const renewal = (ids: readonly string[]): Write => ({
    op: 'updateAll',
    table: 'runs',
    rows: ids.map((id) => ({ id })),
    set: { attempt: 2 },
  })

  it('counts commits, and times those that renew the leases of so many runs', async () => {
    const storage = new CountingStorage(new MemoryStorage())
    await storage.open()
    let times: readonly number[] | undefined
    const asked = storage.nextRenewals(2, 2).then((value) => {
      times = value
    })
    await storage.commit([renewal(['wr_1', 'wr_2'])])
    await storage.commit([renewal(['wr_1'])])
    await storage.commit([{ op: 'updateAll', table: 'tasks', rows: [{ id: 'a' }, { id: 'b' }], set: { errorCode: null } }])
    expect(times).toBeUndefined()
    await storage.commit([renewal(['wr_2', 'wr_1'])])
    await asked
    expect(times).toHaveLength(2)
    expect(storage.commits).toBe(4)
    await storage.close()
  })
})

describe('what peers launch', () => {
  it('hears of its crash at once, and opens no page any more', async () => {
    const chrome = await new FakeChromeLauncher().launch()
    let isTold = false
    chrome.on('disconnected', () => {
      isTold = true
    })
    const page = await chrome.newPage()
    let isClosed = false
    page.once('close', () => {
      isClosed = true
    })
    await page.close()
    chrome.crash()
    expect([isClosed, isTold]).toEqual([true, true])
    await expect(chrome.newPage()).rejects.toThrow('gone')
    await expect(chrome.createBrowserContext()).rejects.toThrow('gone')
  })

  it('fails to launch once when it is told to', async () => {
    const launcher = new FakeChromeLauncher()
    launcher.failNext = true
    await expect(launcher.launch()).rejects.toThrow(SCRIPTED_FAILURE)
    expect([await launcher.launch()]).toEqual(launcher.chromes)
  })
})

describe.runIf(process.platform === 'linux')('the memory of a process', () => {
  it('is counted with its children, and shared pages not twice', async () => {
    const alone = treeMemory(process.pid)
    expect(alone.pssMb).toBeGreaterThan(1)
    expect(alone.pssMb).toBeLessThanOrEqual(alone.rssMb)
    const child = spawn(process.execPath, ['-e', 'process.stdout.write("up"); setInterval(() => {}, 1e6)'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    await once(child.stdout, 'data')
    const its = treeMemory(child.pid ?? 0)
    const both = treeMemory(process.pid)
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(its.rssMb).toBeGreaterThan(10)
    expect(both.rssMb).toBeGreaterThan(alone.rssMb + its.rssMb / 2)
    expect(treeMemory(child.pid ?? 0)).toEqual({ rssMb: 0, pssMb: 0 })
  })
})
