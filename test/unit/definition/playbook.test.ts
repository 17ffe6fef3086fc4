import { describe, expect, it } from 'vitest'
import { type PlaybookInput, parsePlaybook, toStep } from '../../../src/definition/index.js'
import { DefinitionError } from '../../../src/errors/index.js'

const click = { type: 'click' as const, target: { css: '#go' } }
const playbook = (more: object = {}) => ({ name: 'sign_in', steps: [click], ...more }) as PlaybookInput

/** `code path` of every broken rule. */
function issuesOf(input: unknown): readonly string[] {
  try {
    parsePlaybook(input)
  } catch (error) {
    if (DefinitionError.is(error)) return error.issues.map(({ code, path }) => `${code} ${path.join('.')}`)
    throw error
  }
  return []
}

describe('a playbook', () => {
  it('is read with its defaults filled in, and unchanged when it is read again', () => {
    const parsed = parsePlaybook(
      playbook({
        parameters: [{ kind: 'workflow', key: 'count', type: 'integer', default: ' 3 ' }],
        steps: [click, { action: click, assert: { text: 'Hello' } }, { playbook: 'other', parameters: { a: 1 } }],
      }),
    )
    expect(parsed.parameters).toEqual([{ kind: 'workflow', key: 'count', type: 'integer', default: 3 }])
    expect(parsed.steps[1]).toMatchObject({ onFailure: 'retry', retries: 1, delayMs: 0, assert: { type: 'assert', text: 'Hello' } })
    expect(parsePlaybook(structuredClone(parsed))).toEqual(parsed)
  })

  it.each<[string, unknown, readonly string[]]>([
    ['no object', [], ['INVALID_SHAPE ']],
    ['no name', playbook({ name: undefined }), ['INVALID_SHAPE name']],
    ['a name that is no identifier', playbook({ name: 'sign in' }), ['INVALID_SHAPE name']],
    ['no step', playbook({ steps: [] }), ['INVALID_SHAPE steps']],
    ['an unknown key', playbook({ step: [] }), ['UNKNOWN_KEY step']],
    ['an unknown action type', playbook({ steps: [{ type: 'clik' }] }), ['UNKNOWN_ACTION_TYPE steps.0.type']],
    ['an unknown type in a step', playbook({ steps: [{ action: { type: 'clik' } }] }), ['UNKNOWN_ACTION_TYPE steps.0.action.type']],
    ['a step that does nothing', playbook({ steps: [{ retries: 2 }] }), ['INVALID_SHAPE steps.0']],
    ['a step that does two things', playbook({ steps: [{ action: click, playbook: 'x' }] }), ['INVALID_SHAPE steps.0']],
    ['too many retries', playbook({ steps: [{ action: click, retries: 11 }] }), ['INVALID_SHAPE steps.0.retries']],
    ['an assertion about nothing', playbook({ steps: [{ action: click, assert: {} }] }), ['INVALID_SHAPE steps.0.assert']],
    ['a bad template', playbook({ steps: [{ ...click, target: { css: '{{ a' } }] }), ['INVALID_TEMPLATE steps.0.target.css']],
    [
      'a bad template in a call',
      playbook({ steps: [{ playbook: 'x', parameters: { a: ['{% if %}'] } }] }),
      ['INVALID_TEMPLATE steps.0.parameters.a.0'],
    ],
    [
      'a secret',
      playbook({ parameters: [{ kind: 'secret', key: 'k', provider: 'env', name: 'K' }] }),
      [
        'INVALID_SHAPE parameters.0.kind',
        'INVALID_SHAPE parameters.0.type',
        'UNKNOWN_KEY parameters.0.provider',
        'UNKNOWN_KEY parameters.0.name',
      ],
    ],
    [
      'a key twice',
      playbook({ parameters: [1, 2].map(() => ({ kind: 'workflow', key: 'k', type: 'string' })) }),
      ['DUPLICATE_PARAMETER parameters.1.key'],
    ],
    [
      'a reserved key',
      playbook({ parameters: [{ kind: 'workflow', key: 'current_value', type: 'string' }] }),
      ['RESERVED_PARAMETER parameters.0.key'],
    ],
    [
      'a default that does not fit',
      playbook({ parameters: [{ kind: 'workflow', key: 'k', type: 'integer', default: 'x' }] }),
      ['INVALID_DEFAULT parameters.0.default'],
    ],
  ])('with %s is refused, with the place', (_, input, issues) => {
    expect(issuesOf(input)).toEqual(issues)
  })

  it('that holds itself is refused, not followed', () => {
    const loop: Record<string, unknown> = { ...playbook() }
    loop.steps = [loop]
    expect(issuesOf(loop)).toEqual(['INVALID_SHAPE '])
  })

  it('names all that is wrong at once, and suggests', () => {
    const input = playbook({ name: '1', steps: [{ type: 'hovr', target: { css: '{{' } }] })
    expect(() => parsePlaybook(input)).toThrow(/The playbook "1" breaks 3 rules/)
    try {
      parsePlaybook(input)
    } catch (error) {
      expect((error as DefinitionError).issues.map(({ suggestion }) => suggestion)).toContain('hover')
    }
  })
})

describe('a step', () => {
  it('has one shape, whichever way it was written', () => {
    const [plain, wrapped] = parsePlaybook(playbook({ steps: [click, { action: click }] })).steps.map(toStep)
    expect(plain).toMatchObject({ onFailure: 'abort', retries: 1, delayMs: 0, idempotent: null, assert: null, playbook: null })
    expect(wrapped).toMatchObject({ onFailure: 'retry', action: plain?.action })
  })

  it('may be repeated as it says itself, else as its action says', () => {
    const steps = [
      { action: { ...click, idempotent: true } },
      { action: { ...click, idempotent: true }, idempotent: false },
      { ...click, idempotent: true },
    ]
    expect(parsePlaybook(playbook({ steps })).steps.map((step) => toStep(step).idempotent)).toEqual([true, false, true])
  })
})
