import { describe, expect, it } from 'vitest'
import type { PlaybookInput, StepInput } from '../../../src/definition/index.js'
import { code, createWorld, type Definition, failure, settle, startEngine, startHost, watchedStorage } from './kit.js'

const definition: Definition = { blocks: [code('a')] }
const wait = { type: 'wait' as const, waitSec: 0 }
const playbook = (name: string, more: object = {}) => ({ name, steps: [wait], ...more }) as PlaybookInput
const text = (key: string, more: object = {}) => ({ kind: 'workflow' as const, key, type: 'string' as const, ...more })
const type = (value: string) => ({ type: 'input_text' as const, target: { css: '#f' }, value })
const site = { 'https://a.test/': { elements: [{ css: '#f' }] } }

/** A goal block that does its work by a playbook. */
const goal = (name: string, more: object = {}) => ({
  type: 'navigation' as const,
  label: 'go',
  url: 'https://a.test/',
  playbook: name,
  ...more,
})

describe('stored playbooks', () => {
  async function stored(options = {}) {
    const host = await startEngine({}, createWorld())
    const { workflowPermanentId } = await host.engine.createWorkflow({ title: 'T', definition, ...options })
    return { ...host, workflowPermanentId }
  }

  it('are stored as versions, and read back newest first', async () => {
    const { engine, workflowPermanentId } = await stored()
    const first = await engine.savePlaybook({ workflowPermanentId, ...playbook('one', { description: 'the first' }) })
    expect(first).toMatchObject({
      name: 'one',
      version: 1,
      description: 'the first',
      organizationId: 'acme',
      parameters: [],
      deletedAt: null,
    })
    const second = await engine.savePlaybook({ workflowPermanentId, ...playbook('one', { steps: [wait, wait] }) })
    await engine.savePlaybook({ workflowPermanentId, ...playbook('another') })
    expect([second.version, second.steps.length]).toEqual([2, 2])
    expect(await engine.getPlaybook({ workflowPermanentId, name: 'one' })).toEqual(second)
    expect(await engine.getPlaybook({ workflowPermanentId, name: 'one', version: 1 })).toEqual(first)
    expect((await engine.listPlaybooks({ workflowPermanentId })).map(({ name, version }) => [name, version])).toEqual([
      ['another', 1],
      ['one', 2],
    ])
  })

  it('are deleted with all versions; a later save takes the next number', async () => {
    const { engine, workflowPermanentId } = await stored()
    for (let times = 0; times < 3; times++) await engine.savePlaybook({ workflowPermanentId, ...playbook('one') })
    await engine.deletePlaybook({ workflowPermanentId, name: 'one' })
    for (const call of [
      () => engine.getPlaybook({ workflowPermanentId, name: 'one' }),
      () => engine.getPlaybook({ workflowPermanentId, name: 'one', version: 2 }),
      () => engine.deletePlaybook({ workflowPermanentId, name: 'one' }),
    ])
      expect((await failure(call())).code).toBe('PLAYBOOK_NOT_FOUND')
    expect(await engine.listPlaybooks({ workflowPermanentId })).toEqual([])
    expect((await engine.savePlaybook({ workflowPermanentId, ...playbook('one') })).version).toBe(4)
  })

  it('come with their workflow in one commit', async () => {
    const { world, watched } = watchedWorld()
    const { engine } = await startEngine({}, world)
    watched.commits.length = 0
    const { workflowPermanentId } = await engine.createWorkflow({ title: 'T', definition, playbooks: [playbook('one'), playbook('two')] })
    expect(watched.commits.map((batch) => batch.map((write) => ('table' in write ? write.table : write.op)))).toEqual([
      ['workflows', 'playbooks', 'playbooks', 'append'],
    ])
    expect((await engine.listPlaybooks({ workflowPermanentId })).map(({ name }) => name)).toEqual(['one', 'two'])
  })

  it('that are wrong keep their workflow from being stored, each with its place', async () => {
    const { engine, memory } = await startEngine()
    const bad = { title: 'T', definition, playbooks: [playbook('one'), playbook('one'), playbook('two', { steps: [{ type: 'clik' }] })] }
    const { code: errorCode, details } = await failure(engine.createWorkflow(bad))
    expect(errorCode).toBe('INVALID_DEFINITION')
    expect((details.issues as { code: string; path: unknown[] }[]).map(({ code, path }) => [code, path])).toEqual([
      ['DUPLICATE_PLAYBOOK', ['playbooks', 1, 'name']],
      ['UNKNOWN_ACTION_TYPE', ['playbooks', 2, 'steps', 0, 'type']],
    ])
    expect(await memory.count('workflows')).toBe(0)
  })

  it('are each organisation’s own; those of a template are read by all and written by its owner', async () => {
    const { engine, workflowPermanentId } = await stored({ playbooks: [playbook('one')] })
    const others = engine.forOrganization('other')
    for (const call of [
      () => others.savePlaybook({ workflowPermanentId, ...playbook('one') }),
      () => others.getPlaybook({ workflowPermanentId, name: 'one' }),
      () => others.listPlaybooks({ workflowPermanentId }),
      () => others.deletePlaybook({ workflowPermanentId, name: 'one' }),
    ])
      expect((await failure(call())).code).toBe('WORKFLOW_NOT_FOUND')
    const template = await engine.createWorkflow({ title: 'T', definition, isTemplate: true, playbooks: [playbook('one')] })
    const ref = { workflowPermanentId: template.workflowPermanentId }
    expect((await others.getPlaybook({ ...ref, name: 'one' })).organizationId).toBe('acme')
    expect(await others.listPlaybooks(ref)).toHaveLength(1)
    expect((await failure(others.savePlaybook({ ...ref, ...playbook('one') }))).code).toBe('WORKFLOW_NOT_FOUND')
    expect((await failure(others.deletePlaybook({ ...ref, name: 'one' }))).code).toBe('WORKFLOW_NOT_FOUND')
  })

  it('saved at the same moment get different versions; one that is always late says so', async () => {
    const { world, watched } = watchedWorld()
    const { engine } = await startEngine({}, world)
    const { workflowPermanentId } = await engine.createWorkflow({ title: 'T', definition })
    const saves = Array.from({ length: 4 }, () => engine.savePlaybook({ workflowPermanentId, ...playbook('one') }))
    expect((await Promise.all(saves)).map(({ version }) => version).sort()).toEqual([1, 2, 3, 4])
    watched.before = async (batch) => {
      const [write] = batch
      if (write?.op === 'insert' && write.table === 'playbooks')
        await world.memory.commit([{ ...write, row: { ...write.row, playbookId: `pb_${Math.random()}` } }] as never)
    }
    const { code: errorCode, retryable } = await failure(engine.savePlaybook({ workflowPermanentId, ...playbook('one') }))
    expect([errorCode, retryable]).toEqual(['PLAYBOOK_VERSION_CONFLICT', true])
  })
})

describe('a run', () => {
  const steps = (value: string): StepInput[] => [type(value)]
  const values = async (memory: { find: CallableFunction }) =>
    ((await memory.find({ table: 'actions', orderBy: [{ column: 'actionId' }] })) as { type: string; value: unknown }[])
      .filter((row) => row.type === 'input_text')
      .map(({ value }) => value)

  it('performs a playbook with rendered parameters, after the steps of its block', async () => {
    const { run, memory } = await startHost({ driver: { site } })
    const sign = {
      name: 'sign',
      parameters: [text('who'), text('greeting', { default: 'Hello' })],
      steps: steps('{{ greeting }}, {{ who }} of {{ town }}'),
    }
    const result = await run(
      {
        parameters: [text('town')],
        blocks: [goal('sign', { steps: steps('first'), playbookParameters: { who: 'Ada from {{ town }}' } })],
      },
      { parameters: { town: 'Ulm' }, workflow: { playbooks: [sign] } },
    )
    expect(result).toMatchObject({ status: 'completed', outputs: { go_output: { recoveredSteps: 0, actionCount: 3 } } })
    expect(await values(memory)).toEqual(['first', 'Hello, Ada from Ulm of Ulm'])
  })

  it('hands a secret on as a reference, which the playbook can type and not take apart', async () => {
    const { run, memory, driver, pool, clock } = await startHost({
      driver: { site },
      engine: { credentials: { vault: { get: async () => 'hunter2' } } },
    })
    const parameters = [{ kind: 'secret' as const, key: 'PIN', provider: 'vault', name: 'pin' }]
    const sign = (value: string) => ({ name: 'sign', parameters: [text('pin')], steps: steps(value) })
    const blocks = [goal('sign', { playbookParameters: { pin: '{{ PIN }}' } })]
    const { browserSessionId } = await settle(pool.create({}), clock)
    expect(await run({ parameters, blocks }, { browserSessionId, workflow: { playbooks: [sign('{{ pin }}')] } })).toMatchObject({
      status: 'completed',
    })
    const typed = driver.handles[0]?.pages()[0]?.elements()[0]?.value
    expect(typed).toBe('hunter2')
    expect(await values(memory)).toEqual(['{{ PIN }}'])
    const refused = await run({ parameters, blocks }, { workflow: { playbooks: [sign('{{ pin | upper }}')] } })
    expect(refused).toMatchObject({ status: 'failed', errorCode: 'TEMPLATE_ERROR' })
  })

  it('uses the playbooks that there were when it was created', async () => {
    const { engine, memory, clock } = await startHost({ driver: { site } })
    const { workflowPermanentId } = await engine.createWorkflow({
      title: 'T',
      definition: { blocks: [{ type: 'wait', label: 'hold', waitSec: 60 }, goal('sign')] },
      playbooks: [{ name: 'sign', steps: steps('old') }],
    })
    const first = await engine.startRun({ workflowPermanentId })
    await clock.advance(10)
    await engine.savePlaybook({ workflowPermanentId, name: 'sign', steps: steps('new') })
    await clock.advance(10)
    const second = await engine.startRun({ workflowPermanentId })
    await clock.advance(10)
    await engine.deletePlaybook({ workflowPermanentId, name: 'sign' })
    await clock.advance(10)
    const third = await engine.startRun({ workflowPermanentId })
    const results = await settle(Promise.all([first.result(), second.result(), third.result()]), clock)
    expect(results.map(({ status, errorCode }) => [status, errorCode])).toEqual([
      ['completed', null],
      ['completed', null],
      ['failed', 'PLAYBOOK_NOT_FOUND'],
    ])
    expect((await values(memory)).sort()).toEqual(['new', 'old'])
  })

  it('fails with what is wrong with the call, before anything is done', async () => {
    const { run, memory } = await startHost({ driver: { site } })
    const sign = { name: 'sign_in', parameters: [text('who')], steps: steps('{{ who }}') }
    const workflow = { playbooks: [sign] }
    const missing = await run({ blocks: [goal('sign_im')] }, { workflow })
    expect(missing).toMatchObject({ status: 'failed', errorCode: 'PLAYBOOK_NOT_FOUND' })
    expect(missing.failureReason).toContain('did you mean "sign_in"?')
    expect(await run({ blocks: [goal('sign_in')] }, { workflow })).toMatchObject({ errorCode: 'MISSING_PARAMETERS' })
    expect(await run({ blocks: [goal('sign_in', { playbookParameters: { who: 'x', how: 'y' } })] }, { workflow })).toMatchObject({
      errorCode: 'UNKNOWN_PARAMETERS',
    })
    expect(await memory.count('actions')).toBe(0)
  })

  it('uses those of a template that belongs to somebody else', async () => {
    const { engine, clock } = await startHost({ driver: { site } })
    const template = await engine.createWorkflow({
      title: 'T',
      definition: { blocks: [goal('sign')] },
      isTemplate: true,
      playbooks: [{ name: 'sign', steps: steps('x') }],
    })
    const run = await engine.startRun({ organizationId: 'other', workflowPermanentId: template.workflowPermanentId })
    expect(await settle(run.result(), clock)).toMatchObject({ status: 'completed' })
  })
})

function watchedWorld() {
  let watched!: ReturnType<typeof watchedStorage>['watched']
  const world = createWorld((memory) => {
    const wrapped = watchedStorage(memory)
    watched = wrapped.watched
    return wrapped.storage
  })
  return { world, watched }
}
