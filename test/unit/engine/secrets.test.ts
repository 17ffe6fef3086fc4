import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { PageFacade } from '../../../src/actions/index.js'
import { MemoryCredentialProvider } from '../../../src/engine/index.js'
import type { AnyEvent } from '../../../src/events/index.js'
import type { MemoryStorage } from '../../../src/storage/index.js'
import type { FakePageControls } from '../../../src/testing/index.js'
import { blockRows, code, failure, handlers, settle, startEngine, startHost } from './kit.js'

const PASSWORD = 'tr0ub4dor&3'
const TOKEN = 'tok-5f2a9c'
const credentials = { memory: new MemoryCredentialProvider({ shop: { username: 'ada', password: PASSWORD }, api: TOKEN }) }
const parameters = [
  { kind: 'secret' as const, key: 'shop', provider: 'memory', name: 'shop' },
  { kind: 'secret' as const, key: 'api', provider: 'memory', name: 'api' },
]
const site = {
  'https://a.test/': {
    elements: [
      { css: '#user' },
      { css: '#password' },
      { css: '#echo', text: `your password is ${PASSWORD}, in base64 ${Buffer.from(PASSWORD).toString('base64')}` },
      { css: '#trap', text: '{{ shop.password }}' },
      { css: '#search' },
    ],
  },
}

/** Whether anything stored or told of holds a secret. */
function leaks(memory: MemoryStorage, events: readonly AnyEvent[], more: unknown = null) {
  const everything = JSON.stringify([memory.snapshot(), events, more])
  return [PASSWORD, TOKEN, encodeURIComponent(PASSWORD), Buffer.from(PASSWORD).toString('base64')].filter((form) =>
    everything.includes(JSON.stringify(form).slice(1, -1)),
  )
}

/** A host whose runs have a session of their own that outlives them, so that what was typed can be looked at. */
async function startShop(options: Parameters<typeof startHost>[0] = {}) {
  const host = await startHost({ ...options, driver: { site }, engine: { credentials, ...options.engine } })
  const run: typeof host.run = async (definition, params) => {
    const { browserSessionId } = await host.pool.create()
    return host.run(definition, { browserSessionId, ...params })
  }
  /** What was typed into a field last. */
  const typedInto = (css: string) => {
    const log = host.driver.handles.flatMap((handle) => handle.pages().flatMap((page) => page.log))
    return log.flatMap((entry) => (entry.type === 'input_text' && entry.target.css === css ? [entry.value] : [])).at(-1)
  }
  return { ...host, run, typedInto }
}

const fill = (css: string, value: string) => ({ type: 'input_text' as const, target: { css }, value })

describe('a secret', () => {
  it('is typed by the step that names it, and stands nowhere else', async () => {
    const { run, memory, events, typedInto } = await startShop()
    const steps = [fill('#user', '{{ shop.username }}'), fill('#password', '{{ shop.password }}'), fill('#search', 'Bearer {{ api }}')]
    const result = await run({
      parameters,
      blocks: [{ type: 'login', label: 'sign_in', credentialKey: 'shop', url: 'https://a.test/', steps }],
    })
    expect(result.status).toBe('completed')
    expect([typedInto('#user'), typedInto('#password'), typedInto('#search')]).toEqual(['ada', PASSWORD, `Bearer ${TOKEN}`])
    expect(leaks(memory, events, result)).toEqual([])
    const actions = await memory.find({ table: 'actions', orderBy: [{ column: 'stepIndex' }] })
    expect(actions.map(({ value }) => value).slice(1)).toEqual(['{{ shop.username }}', '{{ shop.password }}', 'Bearer {{ api }}'])
    expect(result.parameters).toEqual({ shop: '{{ shop }}', api: '{{ api }}' })
  })

  it('that a page echoes is taken out of what is extracted', async () => {
    const { run, memory, events } = await startShop()
    const result = await run({
      parameters,
      blocks: [{ type: 'extraction', label: 'read', url: 'https://a.test/', selectors: { echo: { css: '#echo' } } }],
    })
    expect(result.status).toBe('completed')
    expect(JSON.stringify(result.outputs)).toContain('your password is {{ shop.password }}')
    expect(leaks(memory, events, result)).toEqual([])
  })

  it('in an address that cannot be opened is not in the failure', async () => {
    const { run, memory, events } = await startShop()
    const result = await run({ parameters, blocks: [{ type: 'goto_url', label: 'open', url: 'https://nowhere.test/?key={{ api }}' }] })
    expect(result).toMatchObject({ status: 'failed', errorCode: 'NAVIGATION_FAILED' })
    expect(result.failureReason).toContain('{{ api }}')
    expect(leaks(memory, events, result)).toEqual([])
  })

  it('does not stand in the name that a site gives to a download', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'runwright-test-'))
    const path = join(directory, 'bill')
    writeFileSync(path, 'a,b')
    const suggestedFilename = `bill ${PASSWORD} ${TOKEN}.csv`
    const bills = {
      'https://a.test/': {
        elements: [
          { css: '#bill', onClick: (page: FakePageControls) => page.download({ suggestedFilename, url: 'https://a.test/b', path }) },
        ],
      },
    }
    const { run, memory, events } = await startHost({ driver: { site: bills }, engine: { credentials } })
    const steps = [{ type: 'click' as const, target: { css: '#bill' } }]
    const result = await run({ parameters, blocks: [{ type: 'file_download', label: 'get', url: 'https://a.test/', steps }] })
    rmSync(directory, { recursive: true, force: true })
    expect(result.status).toBe('completed')
    const filename = 'bill {{ shop.password }} {{ api }}.csv'
    const saved = events.filter(({ type }) => type === 'artifact.saved')
    expect(saved.map(({ payload }) => payload)).toMatchObject([{ filename }])
    expect(await memory.find({ table: 'artifacts' })).toMatchObject([
      { filename: expect.stringContaining('shop.password'), mimeType: 'text/csv' },
    ])
    expect(leaks(memory, events, result)).toEqual([])
  })

  it('is handed to a code block that names it, as it is, and to no other', async () => {
    const seen: unknown[] = []
    const look = ({ parameters: given }: { parameters: unknown }) => void seen.push(given)
    const { run, memory, events } = await startEngine({ credentials, handlers: { look } })
    const plain = { kind: 'workflow' as const, key: 'word', type: 'string' as const, default: 'x' }
    await run({
      parameters: [...parameters, plain],
      blocks: [code('a', 'look'), code('b', 'look', { parameterKeys: ['shop', 'api'] }), code('c', 'look', { parameterKeys: ['word'] })],
    })
    expect(seen).toEqual([{ word: 'x' }, { shop: { username: 'ada', password: PASSWORD }, api: TOKEN }, { word: 'x' }])
    expect(leaks(memory, events)).toEqual([])
  })

  it('that a handler returns, or throws, is taken out', async () => {
    const { run, memory, events } = await startEngine({
      credentials,
      handlers: {
        tell: ({ parameters: given }) => ({ said: `it is ${given.api}`, [`key ${given.api}`]: 1 }),
        cry: ({ parameters: given }) => {
          throw new Error(`no luck with ${given.api}`)
        },
      },
    })
    const both = { parameterKeys: ['api'] }
    const result = await run({ parameters, blocks: [code('a', 'tell', both), code('b', 'cry', { ...both, maxRetries: 1 })] })
    expect(result.outputs.a_output).toEqual({ said: 'it is {{ api }}', 'key {{ api }}': 1 })
    expect(result.failureReason).toContain('no luck with {{ api }}')
    expect(leaks(memory, events, result)).toEqual([])
  })

  it('cannot be named by a page: what was read is typed as it stands', async () => {
    const { run, memory, events, typedInto } = await startShop()
    const result = await run({
      parameters,
      blocks: [
        { type: 'extraction', label: 'read', url: 'https://a.test/', selectors: { trap: '#trap' } },
        { type: 'action', label: 'type', steps: [fill('#search', '{{ read.trap }}')] },
      ],
    })
    expect(result.status).toBe('completed')
    expect(typedInto('#search')).toBe('{{ shop.password }}')
    expect(leaks(memory, events, result)).toEqual([])
  })

  it('cannot be named by a page through a handler either', async () => {
    const copy = async ({ page }: { page: PageFacade }) => {
      const { trap } = await page.extract<{ trap: string }>({ trap: '#trap' })
      await page.fill('#search', trap)
      await page.perform({ type: 'input_text', target: { css: '#user' }, value: `${trap} {% if 1 %}` })
    }
    const { run, typedInto } = await startShop({ engine: { handlers: { copy } } })
    const result = await run({ parameters, blocks: [{ type: 'goto_url', label: 'open', url: 'https://a.test/' }, code('copy', 'copy')] })
    expect(result.failureReason).toBeNull()
    expect(typedInto('#search')).toBe('{{ shop.password }}')
    expect(typedInto('#user')).toBe('{{ shop.password }} {% if 1 %}')
  })

  it('typed by a handler is recorded as a reference', async () => {
    const type = async ({ page, parameters: given }: { page: PageFacade; parameters: Record<string, unknown> }) =>
      page.fill('#password', (given.shop as { password: string }).password)
    const { run, memory, events, typedInto } = await startShop({ engine: { handlers: { type: type as never } } })
    const blocks = [{ type: 'goto_url' as const, label: 'open', url: 'https://a.test/' }, code('type', 'type', { parameterKeys: ['shop'] })]
    const result = await run({ parameters, blocks })
    expect(typedInto('#password')).toBe(PASSWORD)
    const [action] = await memory.find({ table: 'actions', where: { type: 'input_text' } })
    expect(action?.value).toBe('{{ shop.password }}')
    expect(leaks(memory, events, result)).toEqual([])
  })

  it('is not in loop values and progress', async () => {
    const { run, memory, events } = await startEngine({ credentials, handlers: { ...handlers, list: () => [`a ${TOKEN}`, `b ${TOKEN}`] } })
    const loop = { type: 'for_loop' as const, label: 'loop', loopVariableReference: 'list_output', loopBlocks: [code('x')] }
    const result = await run({ parameters, blocks: [code('list', 'list'), loop] })
    expect(result.status).toBe('completed')
    expect((await blockRows(memory)).at(-1)?.currentValue).toBe('b {{ api }}')
    expect(leaks(memory, events, result)).toEqual([])
  })
})

describe('credentials that are not to be had', () => {
  it.each([
    ['no such provider', { provider: 'vault', name: 'x' }, 'CREDENTIAL_NOT_FOUND'],
    ['no such name', { provider: 'memory', name: 'nobody' }, 'CREDENTIAL_NOT_FOUND'],
    ['a provider that fails', { provider: 'broken', name: 'x' }, 'CREDENTIAL_PROVIDER_FAILED'],
  ])('fail the run before its first block: %s', async (_, where, errorCode) => {
    const broken = { get: async () => Promise.reject(new Error(`it says ${TOKEN}`)) }
    const { run, memory, events } = await startEngine({ credentials: { ...credentials, broken } })
    const result = await run({
      parameters: [{ kind: 'secret', key: 'KEY', ...where }],
      blocks: [code('a'), code('last')],
      finallyBlockLabel: 'last',
    })
    expect(result).toMatchObject({ status: 'failed', errorCode })
    expect(await blockRows(memory)).toEqual([])
    expect(leaks(memory, events)).toEqual([])
  })
})

describe('parameters that do not fit', () => {
  const declared = [
    { kind: 'workflow' as const, key: 'count', type: 'integer' as const },
    { kind: 'workflow' as const, key: 'word', type: 'string' as const },
    ...parameters,
  ]
  const definition = { parameters: declared, blocks: [code('a')] }

  it.each([
    ['unknown', { count: 1, word: 'x', cuont: 2 }, 'UNKNOWN_PARAMETERS'],
    ['missing', {}, 'MISSING_PARAMETERS'],
    ['invalid', { count: 'many', word: { a: 1 } }, 'INVALID_PARAMETERS'],
  ])('are an error with the id of a failed run that is on record: %s', async (_, given, code) => {
    const { start, engine, memory, events } = await startEngine({ credentials })
    const error = await failure(start(definition, { parameters: given }))
    expect(error.code).toBe(code)
    const run = await engine.getRun({ workflowRunId: String(error.workflowRunId) })
    expect(run).toMatchObject({ status: 'failed', errorCode: code, failureReason: error.message, queuedAt: null, startedAt: null })
    const stored = await memory.readEvents({ stream: `run:${error.workflowRunId}` })
    expect(stored.map(({ type }) => type)).toEqual(['run.created', 'run.failed'])
    expect(await engine.waitForRun({ workflowRunId: run.workflowRunId })).toMatchObject({ status: 'failed', errorCode: code })
    expect(events.at(-1)?.type).toBe('run.failed')
  })

  it('are all named at once', async () => {
    const { start } = await startEngine({ credentials })
    expect(await failure(start(definition, {}))).toMatchObject({ keys: ['count', 'word'] })
    expect((await failure(start(definition, { parameters: { count: 'many', word: [] } }))).issues).toHaveLength(2)
    expect(await failure(start(definition, { parameters: { coun: 1 } }))).toMatchObject({ keys: [{ key: 'coun', suggestion: 'count' }] })
  })

  it('do not use an idempotency key up', async () => {
    const { start, clock } = await startEngine({ credentials })
    const first = await failure(start(definition, { idempotencyKey: 'k' }))
    const handle = await start(definition, { idempotencyKey: 'k', parameters: { count: '3', word: '' } })
    expect(handle.workflowRunId).not.toBe(first.workflowRunId)
    expect(await settle(handle.result(), clock)).toMatchObject({ status: 'completed', parameters: { count: 3, word: '' } })
  })
})

describe('startRun', () => {
  it('gives the same run back for the same idempotency key, of one organisation', async () => {
    const { engine, clock, events } = await startEngine()
    const { workflowPermanentId } = await engine.createWorkflow({ title: 'A test', isTemplate: true, definition: { blocks: [code('a')] } })
    const handles = await Promise.all([1, 2, 3].map(() => engine.startRun({ workflowPermanentId, idempotencyKey: 'k' })))
    expect(new Set(handles.map(({ workflowRunId }) => workflowRunId)).size).toBe(1)
    const other = await engine.forOrganization('other').startRun({ workflowPermanentId, idempotencyKey: 'k' })
    expect(other.workflowRunId).not.toBe(handles[0]?.workflowRunId)
    await settle(Promise.all([handles[0]?.result(), other.result()]), clock)
    expect(events.filter(({ type }) => type === 'block.started')).toHaveLength(2)
  })

  it.each([
    ['an unknown workflow', { workflowPermanentId: 'nobody' }, 'WORKFLOW_NOT_FOUND'],
    ['an unknown version', { version: 7 }, 'WORKFLOW_NOT_FOUND'],
    ['another organisation', { organizationId: 'other' }, 'WORKFLOW_NOT_FOUND'],
    ['an unknown key', { paramters: {} }, 'INVALID_ARGUMENT'],
    ['metadata that is too long', { runMetadata: { a: 'x'.repeat(257) } }, 'INVALID_ARGUMENT'],
    [
      'metadata that is too much',
      { runMetadata: Object.fromEntries(Array.from({ length: 21 }, (_, n) => [`k${n}`, ''])) },
      'INVALID_ARGUMENT',
    ],
  ])('refuses %s, and writes nothing', async (_, params, code_) => {
    const { engine, memory } = await startEngine()
    const { workflowPermanentId } = await engine.createWorkflow({ title: 'A test', definition: { blocks: [code('a')] } })
    expect((await failure(engine.startRun({ workflowPermanentId, ...params } as never))).code).toBe(code_)
    expect(await memory.count('runs')).toBe(0)
  })

  it('needs an organisation from somewhere', async () => {
    const { engine } = await startEngine({ organizationId: undefined })
    expect((await failure(engine.createWorkflow({ title: 'x', definition: { blocks: [code('a')] } }))).code).toBe('INVALID_ARGUMENT')
  })
})
