import { describe, expect, it } from 'vitest'
import { StuckDetector, type StuckVerdict } from '../../../src/actions/index.js'
import { openBrowser } from './kit.js'

const PAGE = 'https://a.test/'
const click = (css: string) => ({ type: 'click' as const, target: { css } })
/** An action with a key of its own. */
let last = 0
const fails = (key = `k${last++}`) => ({ key, failed: true, page: null })
const works = (key: string, page: string | null = 'p') => ({ key, failed: false, page })
const feed = (detector: StuckDetector, ...actions: readonly Parameters<StuckDetector['note']>[0][]): StuckVerdict[] =>
  actions.map((action) => detector.note(action))
const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make)

describe('an author’s steps', () => {
  it('are warned of after 5 errors in a row, again after 5 more, and never stopped', () => {
    const detector = new StuckDetector()
    const verdicts = feed(detector, ...times(15, fails))
    expect(verdicts.map((verdict, at) => (verdict === 'ok' ? null : [at + 1, verdict])).filter((one) => one !== null)).toEqual([
      [5, 'warn'],
      [10, 'warn'],
      [15, 'warn'],
    ])
    expect([detector.reason, detector.stopReason]).toEqual(['5 errors in a row', null])
  })

  it('start afresh with each success', () => {
    const detector = new StuckDetector()
    const actions = times(4, () => [fails(), fails(), fails(), fails(), works(`w${last++}`)]).flat()
    expect(new Set(feed(detector, ...actions))).toEqual(new Set(['ok']))
  })

  it('are warned of when the same one is made 3 times on a page that stays as it is', () => {
    expect(feed(new StuckDetector(), works('a', null), works('a'), works('a'))).toEqual(['ok', 'ok', 'warn'])
  })

  it('may be the same on a page that changes, or with others between', () => {
    const pages = ['1', '2', '3', '4', '5', '6', '7'].map((page) => works('next', page))
    expect(new Set(feed(new StuckDetector(), ...pages))).toEqual(new Set(['ok']))
    const between = times(4, () => [works('a'), works('b')]).flat()
    expect(new Set(feed(new StuckDetector(), ...between))).toEqual(new Set(['ok']))
  })

  it('have their page looked at only where an action is made again', () => {
    const detector = new StuckDetector()
    expect(detector.isRepetition('a')).toBe(false)
    feed(detector, works('a'))
    expect([detector.isRepetition('a'), detector.isRepetition('b')]).toEqual([true, false])
  })
})

describe('an agent', () => {
  it('is warned, then stopped for the rest of the attempt', () => {
    const detector = new StuckDetector(() => true)
    expect(feed(detector, ...times(10, fails)).filter((verdict) => verdict !== 'ok')).toEqual(['warn', 'stop'])
    feed(detector, works('x'))
    expect(detector.stopReason).toBe('5 errors in a row')
  })

  it('has a warning of its own, whatever the steps before it were warned of', () => {
    let isAgent = false
    const detector = new StuckDetector(() => isAgent)
    feed(detector, ...times(5, fails))
    isAgent = true
    expect(feed(detector, ...times(5, fails)).at(-1)).toBe('warn')
    expect(feed(detector, ...times(5, fails)).at(-1)).toBe('stop')
  })
})

describe('the router', () => {
  const site = { [PAGE]: { elements: [{ css: '#same' }, { css: '#next', onClick: `${PAGE}2` }] }, [`${PAGE}2`]: { elements: [] } }

  it('says so with the action, and goes on with an author’s', async () => {
    const { act, page } = await openBrowser(site)
    page().goTo(PAGE)
    const verdicts = []
    for (let count = 0; count < 4; count++) verdicts.push((await act(click('#same'))).verdict)
    expect(verdicts).toEqual(['ok', 'ok', 'warn', 'ok'])
    expect(page().log).toHaveLength(4)
  })

  it('refuses everything once an agent was stopped, and does nothing more', async () => {
    const { act, page, records } = await openBrowser(site, { stuck: new StuckDetector(() => true) })
    page().goTo(PAGE)
    for (let count = 0; count < 6; count++) await act(click('#same'))
    const refused = await act(click('#next'))
    expect(refused).toMatchObject({ status: 'blocked', error: { code: 'STUCK' } })
    expect(refused.error?.message).toContain('the same action 3 times on an unchanged page')
    expect([page().log.length, records.length, page().url()]).toEqual([6, 7, PAGE])
  })

  it('counts neither what is only checked nor what was canceled', async () => {
    const dry = await openBrowser(site, { dryRun: true })
    dry.page().goTo(PAGE)
    for (let count = 0; count < 4; count++) expect((await dry.act(click('#same'))).verdict).toBe('ok')
    const canceled = await openBrowser(site)
    canceled.control.abort(new Error('canceled'))
    for (let count = 0; count < 6; count++) expect((await canceled.act(click('#same'))).verdict).toBe('ok')
  })

  it('takes a page that does not answer for one that shows the same', async () => {
    const { act, page } = await openBrowser(site)
    page().goTo(PAGE)
    page().fingerprint = async () => {
      throw new Error('busy')
    }
    const verdicts = []
    for (let count = 0; count < 3; count++) verdicts.push((await act(click('#same'))).verdict)
    expect(verdicts).toEqual(['ok', 'ok', 'warn'])
  })
})
