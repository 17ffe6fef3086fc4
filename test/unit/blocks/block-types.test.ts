import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { BlockRegistry, builtInBlocks, loopValues } from '../../../src/blocks/index.js'
import { builtInBlockSchemas } from '../../../src/definition/index.js'
import type { PageDownload } from '../../../src/sessions/index.js'
import type { FakeSite } from '../../../src/testing/index.js'
import { begun, blockRows, code, handlers, settle, startEngine, startHost, until } from '../engine/kit.js'

const folder = mkdtempSync(join(tmpdir(), 'runwright-blocks-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A file that a page "downloads". */
function file(name: string, text: string): { suggestedFilename: string; url: string; path: string } {
  const path = join(folder, name)
  writeFileSync(path, text)
  return { suggestedFilename: name, url: `https://a.test/${name}`, path }
}

const site: FakeSite = {
  'https://a.test/': {
    title: 'A',
    elements: [
      { css: '#go' },
      { css: '#total', text: '12' },
      { css: '.row', text: 'one' },
      { css: '.row', text: 'two' },
      { css: '#get', onClick: (page) => page.download(file('invoice.pdf', 'bytes')) },
      {
        css: '#get_two',
        onClick: (page) => {
          page.download(file('a.csv', 'a'))
          page.download(file('b.csv', 'bb'))
        },
      },
      {
        css: '#break',
        onClick: (page) => {
          const broken: PageDownload = {
            suggestedFilename: 'x',
            url: 'https://a.test/x',
            path: () => Promise.reject(new Error('reset')),
          }
          page.download(broken as never)
        },
      },
    ],
  },
}
const url = 'https://a.test/'
const click = (css: string, more: object = {}) => ({ type: 'click' as const, target: { css }, ...more })
const open = () => startHost({ driver: { site } })

describe('the registry', () => {
  it('holds a type for every schema of the definition', () => {
    expect(builtInBlocks.map(({ type }) => type).sort()).toEqual(Object.keys(builtInBlockSchemas).sort())
    expect(Object.keys(new BlockRegistry().schemas()).sort()).toEqual(Object.keys(builtInBlockSchemas).sort())
  })

  it('says which types a script may replace', () => {
    const cacheable = builtInBlocks.filter((type) => type.cacheable).map(({ type }) => type)
    expect(cacheable.sort()).toEqual(['action', 'extraction', 'file_download', 'for_loop', 'login', 'navigation', 'task', 'while_loop'])
  })
})

describe('the values of a loop', () => {
  it.each([
    [undefined, []],
    [null, []],
    [[], []],
    [[null], [null]],
    ['', ['']],
    [{ extractedInformation: 'x' }, ['x']],
    [{ extractedInformation: { results: null } }, []],
    [{ extractedInformation: null, results: [1] }, []],
    [{ extracted_information: { results: [1] } }, [1]],
    [{ results: { a: 1 } }, [{ a: 1 }]],
    [{ a: 1 }, [{ a: 1 }]],
  ])('of %j are %j', (value, expected) => {
    expect(loopValues(value)).toEqual(expected)
  })
})

describe('goto_url', () => {
  it('opens a template, a bare key, or an address without a scheme', async () => {
    const { run } = await open()
    const parameters = [{ kind: 'workflow' as const, key: 'where', type: 'string' as const, default: 'a.test/' }]
    const go = (label: string, address: string) => ({ type: 'goto_url' as const, label, url: address })
    const result = await run({ parameters, blocks: [go('a', 'https://{{ where }}'), go('b', 'where'), go('c', 'a.test/')] })
    const output = { url, title: 'A', httpStatus: 200 }
    expect(result.outputs).toEqual({ a_output: output, b_output: output, c_output: output })
  })

  it('fails with the reason when the address does not open', async () => {
    const { run } = await open()
    const result = await run({ blocks: [{ type: 'goto_url', label: 'a', url: 'https://nowhere.test/' }] })
    expect(result).toMatchObject({ status: 'failed', errorCode: 'NAVIGATION_FAILED' })
    expect(result.failureReason).toContain('nowhere.test')
  })
})

describe('a goal block with steps', () => {
  it.each(['navigation', 'action', 'task', 'login'] as const)('%s performs them in order and gives the goal output', async (type) => {
    const { run } = await open()
    const steps = [
      click('#go'),
      { type: 'extract' as const, selectors: { total: { css: '#total', type: 'integer' as const } } },
      { type: 'extract' as const, selectors: { rows: { css: '.row', all: true as const } } },
      { type: 'screenshot' as const },
    ]
    const result = await run({ blocks: [{ type, label: 'a', url, steps }] })
    const extractedInformation = { total: 12, rows: ['one', 'two'] }
    expect(result.outputs.a_output).toEqual({
      status: 'completed',
      extractedInformation,
      downloadedFiles: [],
      screenshotArtifactIds: ['art_1'],
      errors: [],
      actionCount: 5,
      recoveredSteps: 0,
    })
    expect(result).toMatchObject({ extractedInformation: [extractedInformation], screenshotArtifactIds: ['art_1'], actionCount: 5 })
  })

  it('writes its actions with one commit, whatever their number', async () => {
    const { run, memory } = await open()
    await run({ blocks: [{ type: 'action', label: 'a', url, steps: Array.from({ length: 20 }, () => click('#go')) }] })
    const actions = await memory.find({ table: 'actions', orderBy: [{ column: 'stepIndex' }] })
    expect(actions.map(({ stepIndex, type }) => [stepIndex, type])).toEqual([
      [0, 'goto_url'],
      ...Array.from({ length: 20 }, (_, n) => [n + 1, 'click']),
    ])
    const events = (await memory.readEvents({ stream: 'run:wr_1' })).filter(({ type }) => type === 'action.performed')
    expect(events).toHaveLength(21)
    expect(new Set(events.map(({ at }) => at.getTime())).size).toBe(1)
  })

  it('names the step that failed, and keeps what it had', async () => {
    const { run, memory } = await open()
    const steps = [{ type: 'extract' as const, selectors: { total: '#total' } }, click('#nobody', { timeoutMs: 100 }), click('#go')]
    const result = await run({ blocks: [{ type: 'action', label: 'a', steps: [{ type: 'goto_url', url }, ...steps] }] })
    expect(result).toMatchObject({ status: 'failed', errorCode: 'TARGET_NOT_FOUND', outputs: { a_output: null } })
    expect(result.failureReason).toContain('Step 3 of "a"')
    expect((await blockRows(memory))[0]?.output).toMatchObject({ status: 'failed', extractedInformation: { total: '12' }, actionCount: 3 })
  })

  it('ends where a complete step says so', async () => {
    const { run } = await open()
    const result = await run({ blocks: [{ type: 'action', label: 'a', url, steps: [{ type: 'complete' }, click('#nobody')] }] })
    expect(result).toMatchObject({ status: 'completed', actionCount: 2 })
  })

  it.each([
    ['the block’s', { errorCodeMapping: { SOLD_OUT: 'there is none left' } }, {}],
    ['the workflow’s', {}, { errorCodeMapping: { SOLD_OUT: 'there is none left' } }],
    ['both, of which the block’s wins', { errorCodeMapping: { SOLD_OUT: 'there is none left' } }, { errorCodeMapping: { SOLD_OUT: 'no' } }],
  ])('terminates with a code of %s errorCodeMapping, which becomes the run’s', async (_, block, workflow) => {
    const { run } = await open()
    const steps = [{ type: 'terminate' as const, errorCode: 'SOLD_OUT' }]
    const result = await run({ blocks: [{ type: 'task', label: 'a', url, steps, ...block }] }, { workflow })
    expect(result).toMatchObject({ status: 'terminated', errorCode: 'SOLD_OUT' })
    expect(result.failureReason).toContain('there is none left')
    expect(result.errors).toEqual([{ blockLabel: 'a', code: 'SOLD_OUT', reason: 'there is none left' }])
  })

  it('terminates with a reason of its own, and a plain code without one', async () => {
    const { run, memory } = await open()
    const steps = [{ type: 'terminate' as const, reason: 'enough of {{ workflow_title }}' }]
    expect(await run({ blocks: [{ type: 'task', label: 'a', url, steps }] })).toMatchObject({
      status: 'terminated',
      errorCode: 'TERMINATED',
    })
    expect((await blockRows(memory))[0]).toMatchObject({
      failureReason: 'enough of A test',
      output: { status: 'terminated', errors: [{ code: null, reason: 'enough of A test' }] },
    })
  })

  it('stores what its steps download', async () => {
    const { run, engine } = await open()
    const result = await run({ blocks: [{ type: 'navigation', label: 'a', url, steps: [click('#get')] }] })
    expect(result.downloadedFiles).toEqual([
      { artifactId: 'art_1', filename: 'invoice.pdf', size: 5, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    ])
    const { artifact, body } = await engine.readArtifact({ artifactId: 'art_1' })
    expect(artifact).toMatchObject({ type: 'download', mimeType: 'application/pdf', workflowRunId: 'wr_1', blockLabel: 'a' })
    expect(await new Response(body as never).text()).toBe('bytes')
  })
})

describe('file_download', () => {
  const download = (css: string, more: object = {}) => ({ type: 'file_download' as const, label: 'a', url, steps: [click(css)], ...more })

  it('stores the file, under the name it is given', async () => {
    const { run } = await open()
    const named = await run({ blocks: [download('#get', { downloadSuffix: 'invoice-{{ workflow_run_id }}' })] })
    expect(named.downloadedFiles.map(({ filename }) => filename)).toEqual(['invoice-wr_1.pdf'])
    const plain = await run({ blocks: [download('#get')] })
    expect(plain.downloadedFiles.map(({ filename }) => filename)).toEqual(['invoice.pdf'])
  })

  it('stores all that came, with a number for a second', async () => {
    const { run } = await open()
    const result = await run({ blocks: [download('#get_two', { downloadSuffix: 'list' })] })
    expect(result.downloadedFiles.map(({ filename, size }) => [filename, size])).toEqual([
      ['list.csv', 1],
      ['2-list.csv', 2],
    ])
  })

  it('fails when nothing comes in its time, unless that may be', async () => {
    const { run, memory, pool } = await open()
    const { browserSessionId } = await pool.create() // a launch of its own would take real time, too
    const result = await run({ blocks: [download('#go', { downloadTimeoutSeconds: 5 })] }, { browserSessionId })
    expect(result).toMatchObject({ status: 'failed', errorCode: 'NOTHING_DOWNLOADED' })
    expect((await blockRows(memory))[0]?.durationMs).toBe(5_000)
    const may = await run({ blocks: [download('#go', { downloadTimeoutSeconds: 5, continueOnEmpty: true })] })
    expect(may.status).toBe('completed')
  })

  it('fails when a download breaks off', async () => {
    const { run } = await open()
    const result = await run({ blocks: [download('#break')] })
    expect(result).toMatchObject({ status: 'failed', errorCode: 'DOWNLOAD_FAILED' })
    expect(result.failureReason).toContain('https://a.test/x')
  })

  it('is canceled while it waits', async () => {
    const { start, clock, events, driver, memory } = await open()
    const handle = await start({ blocks: [download('#go')] })
    await until(() => begun(events).length === 1 && driver.handles[0]?.pages()[0]?.url() === url)
    await clock.advance(1_000)
    await handle.cancel()
    expect((await settle(handle.result(), clock)).status).toBe('canceled')
    expect((await blockRows(memory))[0]).toMatchObject({ status: 'canceled', durationMs: 1_000 })
  })
})

describe('extraction', () => {
  const extraction = (more: object) => ({ type: 'extraction' as const, label: 'a', url, ...more })

  it('gives the data itself', async () => {
    const { run } = await open()
    const selectors = { total: { css: '#total', type: 'integer' as const }, rows: { css: '.row', all: true as const } }
    const schema = { type: 'object', required: ['total'], properties: { total: { type: 'integer' } } }
    const result = await run({ blocks: [extraction({ selectors, schema })] })
    expect(result.outputs.a_output).toEqual({ total: 12, rows: ['one', 'two'] })
    expect(result.extractedInformation).toEqual([result.outputs.a_output])
  })

  it('names the field that is missing', async () => {
    const { run } = await open()
    const result = await run({ blocks: [extraction({ selectors: { total: '#nobody' } })] })
    expect(result).toMatchObject({ status: 'failed', errorCode: 'EXTRACTION_FAILED', extractedInformation: [] })
    expect(result.failureReason).toContain('total')
  })

  it('fails with SCHEMA_MISMATCH, data kept on the row, when its schema says no', async () => {
    const { run, memory } = await open()
    const schema = { type: 'object', properties: { total: { type: 'number' } } }
    const result = await run({ blocks: [extraction({ selectors: { total: '#total' }, schema })] })
    expect(result).toMatchObject({ status: 'failed', errorCode: 'SCHEMA_MISMATCH' })
    expect((await blockRows(memory))[0]?.output).toEqual({ total: '12' })
  })
})

describe('validation', () => {
  it.each([
    [{ completeCriterion: '{{ 1 < 2 }}' }, 'completed', null],
    [{ completeCriterion: '{{ 1 > 2 }}' }, 'failed', 'VALIDATION_FAILED'],
    [{ terminateCriterion: 'yes' }, 'terminated', 'TERMINATE_CRITERION'],
    [{ terminateCriterion: 'no' }, 'failed', 'VALIDATION_FAILED'],
    [{ completeCriterion: 'yes', terminateCriterion: 'yes' }, 'terminated', 'TERMINATE_CRITERION'],
    [{ completeCriterion: 'yes', terminateCriterion: 'no' }, 'completed', null],
  ])('with %j is %s', async (criteria, status, errorCode) => {
    const { run, memory } = await startEngine()
    expect(await run({ blocks: [{ type: 'validation', label: 'a', ...criteria }] })).toMatchObject({ status, errorCode })
    expect((await blockRows(memory))[0]?.output).toMatchObject({ status })
  })
})

describe('wait', () => {
  it('lets its seconds pass', async () => {
    const { run, clock } = await startEngine()
    const result = await run({ blocks: [{ type: 'wait', label: 'a', waitSec: 1_800 }] })
    expect(result.outputs.a_output).toEqual({ waitedSec: 1_800 })
    expect(clock.monotonicMs()).toBe(1_800_000)
  })
})

describe('code', () => {
  it('gets parameters, earlier outputs, a page and a signal', async () => {
    let given: Record<string, unknown> = {}
    const look = (params: object) => {
      given = { ...params }
      return 'seen'
    }
    const { run } = await startEngine({ handlers: { ...handlers, look } })
    const parameters = [
      { kind: 'workflow' as const, key: 'word', type: 'string' as const, default: 'x' },
      { kind: 'context' as const, key: 'earlier', source: 'a_output.n' },
    ]
    await run({ parameters, blocks: [code('a', 'noop'), code('b', 'look')] }, { blockOutputs: {} })
    expect(given).toMatchObject({ parameters: { word: 'x', earlier: null }, outputs: { a: null } })
    expect(given.signal).toBeInstanceOf(AbortSignal)
    expect(given.page).toHaveProperty('click')
  })

  it('with source instead of a handler is refused by this engine', async () => {
    const { run } = await startEngine()
    expect(await run({ blocks: [{ type: 'code', label: 'a', code: 'return 1' }] })).toMatchObject({
      status: 'failed',
      errorCode: 'CODE_NOT_SUPPORTED',
    })
  })
})
