import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  ACTION_TYPES,
  actionSchema,
  builtInBlockSchemas,
  defineWorkflow,
  type ParseDefinitionOptions,
  parseWorkflowDefinition,
} from '../../../src/definition/index.js'
import { DefinitionError, formatPath } from '../../../src/errors/index.js'

const wait = (label: string, extra: object = {}) => ({ type: 'wait', label, waitSec: 1, ...extra })
const issuesOf = (input: unknown, options?: ParseDefinitionOptions) => {
  try {
    parseWorkflowDefinition(input, options)
  } catch (error) {
    if (DefinitionError.is(error)) return error.issues
    throw error
  }
  return []
}
const found = (input: unknown, options?: ParseDefinitionOptions) =>
  issuesOf(input, options).map(({ code, path }) => `${code} ${formatPath(path)}`)
const branch = (next: string | null, extra: object = { criteria: { type: 'jinja2_template', expression: '{{ x }}' } }) => ({
  nextBlockLabel: next,
  ...extra,
})
const isDefault = (next: string | null) => branch(next, { isDefault: true })

describe('parseWorkflowDefinition', () => {
  it('fills in defaults, coerces parameter defaults, infers the version', () => {
    const definition = parseWorkflowDefinition(
      defineWorkflow({
        parameters: [{ kind: 'workflow', key: 'n', type: 'integer', default: ' 5 ' }],
        blocks: [
          { type: 'task', label: 'go', steps: [{ type: 'input_text', target: { css: 'input' }, value: 'x' }] },
          { type: 'wait', label: 'rest', waitSec: 1 },
        ],
      }),
    )
    expect(definition).toMatchObject({ version: 1, finallyBlockLabel: null, parameters: [{ default: 5 }] })
    expect(definition.blocks[0]).toMatchObject({
      continueOnFailure: false,
      maxRetries: 0,
      idempotent: true,
      steps: [{ clear: true, onFailure: 'abort' }],
    })
  })

  const routed = {
    parameters: [{ kind: 'workflow', key: 'j', type: 'json', default: '"5"' }],
    blocks: [
      {
        type: 'conditional',
        label: 'c',
        branches: [branch('a'), { ...branch('b'), id: 'c_branch_1' }, isDefault(null)],
        nextBlockLabel: 'd',
      },
      wait('a'),
      {
        type: 'for_loop',
        label: 'b',
        loopVariableReference: '{{ c_output.rows }}',
        loopBlocks: [{ type: 'conditional', label: 'in', branches: [isDefault(null)] }],
      },
      wait('d'),
    ],
  }
  it('gives branches ids once, and keeps them', () => {
    const definition = parseWorkflowDefinition(routed)
    expect(definition.version).toBe(2)
    expect(
      JSON.stringify(definition)
        .match(/"id":"\w+"/g)
        ?.sort(),
    ).toEqual(['"id":"c_branch_1"', '"id":"c_branch_2"', '"id":"c_branch_3"', '"id":"in_branch_1"'])
    expect(parseWorkflowDefinition(definition)).toEqual(definition)
  })

  it.each<[string, unknown, string[]]>([
    ['no object', 5, ['INVALID_SHAPE (root)']],
    ['no blocks', { blocks: [] }, ['NO_BLOCKS blocks']],
    ['missing blocks', {}, ['INVALID_SHAPE blocks']],
    ['an unknown key', { blocks: [wait('a')], finallyBlock: 'a' }, ['UNKNOWN_KEY finallyBlock']],
    ['an unknown block key', { blocks: [wait('a', { waitSecs: 2 })] }, ['UNKNOWN_KEY blocks[0].waitSecs']],
    ['an unknown type', { blocks: [{ type: 'wiat', label: 'a' }] }, ['UNKNOWN_BLOCK_TYPE blocks[0].type']],
    ['a type called constructor', { blocks: [{ type: 'constructor', label: 'a' }] }, ['UNKNOWN_BLOCK_TYPE blocks[0].type']],
    ['a bad label', { blocks: [wait('1a')] }, ['INVALID_LABEL blocks[0].label']],
    ['a reserved label', { blocks: [wait('current_item')] }, ['RESERVED_LABEL blocks[0].label']],
    ['a label like an output', { blocks: [wait('a'), wait('a_output')] }, ['RESERVED_LABEL blocks[1].label']],
    [
      'a label repeated in a loop',
      { blocks: [wait('a'), { type: 'for_loop', label: 'f', loopVariableReference: 'x', loopBlocks: [wait('a')] }] },
      ['DUPLICATE_LABEL blocks[1].loopBlocks[0].label'],
    ],
    [
      'bad parameters',
      {
        parameters: [
          { kind: 'workflow', key: 'a', type: 'string' },
          { kind: 'workflow', key: 'x y', type: 'string' },
          { kind: 'workflow', key: 'n', type: 'integer', default: 'many' },
          { kind: 'workflow', key: 'n', type: 'integer' },
          { kind: 'workflow', key: 'workflow_id', type: 'string' },
          { kind: 'workflow', key: 'b_output', type: 'string' },
          { kind: 'output', key: 'o' },
          { kind: 'context', key: 'c1', source: 'nothing.there' },
          { kind: 'context', key: 'c2', source: 'c3' },
          { kind: 'context', key: 'c3', source: 'c2.x' },
        ],
        blocks: [wait('a'), wait('b')],
      },
      [
        'OUTPUT_PARAMETER_DECLARED parameters[6].kind',
        'INVALID_PARAMETER_KEY parameters[1].key',
        'DUPLICATE_PARAMETER parameters[3].key',
        'RESERVED_PARAMETER parameters[4].key',
        'PARAMETER_IS_OUTPUT parameters[5].key',
        'LABEL_IS_PARAMETER blocks[0].label',
        'UNKNOWN_CONTEXT_SOURCE parameters[7].source',
        'UNKNOWN_CONTEXT_SOURCE parameters[8].source',
        'UNKNOWN_CONTEXT_SOURCE parameters[9].source',
        'INVALID_DEFAULT parameters[2].default',
      ],
    ],
    ['an undeclared parameter', { blocks: [wait('a', { parameterKeys: ['x'] })] }, ['UNDECLARED_PARAMETER blocks[0].parameterKeys[0]']],
    [
      'a loop over an undeclared parameter',
      { blocks: [{ type: 'for_loop', label: 'f', loopOverParameterKey: 'x', loopBlocks: [wait('a')] }] },
      ['UNDECLARED_PARAMETER blocks[0].loopOverParameterKey'],
    ],
    [
      'an undeclared secret',
      { blocks: [{ type: 'login', label: 'a', credentialKey: 'x', steps: [{ type: 'complete' }] }] },
      ['UNDECLARED_SECRET blocks[0].credentialKey'],
    ],
    [
      'a secret that is none',
      {
        parameters: [{ kind: 'workflow', key: 'x', type: 'string' }],
        blocks: [{ type: 'login', label: 'a', credentialKey: 'x', steps: [{ type: 'complete' }] }],
      },
      ['UNDECLARED_SECRET blocks[0].credentialKey'],
    ],
    ['a finally block that is not there', { blocks: [wait('a')], finallyBlockLabel: 'z' }, ['FINALLY_NOT_FOUND finallyBlockLabel']],
    [
      'a finally block in a loop',
      { blocks: [{ type: 'for_loop', label: 'f', loopVariableReference: 'x', loopBlocks: [wait('a')] }], finallyBlockLabel: 'a' },
      ['FINALLY_NOT_TOP_LEVEL finallyBlockLabel'],
    ],
    [
      'a finally block with a next',
      { blocks: [wait('a'), wait('z', { nextBlockLabel: 'a' })], finallyBlockLabel: 'z' },
      ['FINALLY_HAS_NEXT blocks[1].nextBlockLabel'],
    ],
    ['only a finally block', { blocks: [wait('z')], finallyBlockLabel: 'z' }, ['NO_BLOCKS blocks']],
    ['version 1 with links', { version: 1, blocks: [wait('a', { nextBlockLabel: 'b' }), wait('b')] }, ['VERSION_MISMATCH version']],
    ['version 3', { version: 3, blocks: [wait('a')] }, ['INVALID_SHAPE version']],
    [
      'graph rules in a loop',
      {
        blocks: [
          {
            type: 'for_loop',
            label: 'f',
            loopVariableReference: 'x',
            loopBlocks: [wait('a', { nextBlockLabel: 'b' }), wait('b', { nextBlockLabel: 'a' })],
          },
        ],
      },
      ['CYCLE blocks[0].loopBlocks[0]', 'NO_ROOT blocks[0].loopBlocks'],
    ],
    [
      'an empty loop',
      { blocks: [{ type: 'for_loop', label: 'f', loopVariableReference: 'x', loopBlocks: [] }] },
      ['NO_BLOCKS blocks[0].loopBlocks'],
    ],
    [
      'two loop sources',
      {
        parameters: [{ kind: 'workflow', key: 'p', type: 'json' }],
        blocks: [{ type: 'for_loop', label: 'f', loopOverParameterKey: 'p', loopVariableReference: 'x', loopBlocks: [wait('a')] }],
      },
      ['INVALID_LOOP_SOURCE blocks[0]'],
    ],
    [
      'bad branches',
      {
        blocks: [
          { type: 'conditional', label: 'c', branches: [branch('a', {}), isDefault(null), { ...isDefault(null), ...branch(null) }] },
          wait('a'),
        ],
      },
      [
        'INVALID_BRANCHES blocks[0].branches[0].criteria',
        'INVALID_BRANCHES blocks[0].branches[2].criteria',
        'INVALID_BRANCHES blocks[0].branches[2].isDefault',
      ],
    ],
    ['no branches', { blocks: [{ type: 'conditional', label: 'c', branches: [] }] }, ['INVALID_BRANCHES blocks[0].branches']],
    ['a template that cannot be parsed', { blocks: [{ type: 'goto_url', label: 'a', url: '{{ x' }] }, ['INVALID_TEMPLATE blocks[0].url']],
    [
      'a bad schema',
      {
        blocks: [{ type: 'extraction', label: 'a', selectors: { x: 'h1' }, schema: { type: 'obj', properties: { x: { pattern: '(' } } } }],
      },
      ['INVALID_JSON_SCHEMA blocks[0].schema.type', 'INVALID_JSON_SCHEMA blocks[0].schema.properties.x.pattern'],
    ],
    [
      'bad selectors',
      {
        blocks: [
          {
            type: 'extraction',
            label: 'a',
            selectors: { x: { css: 'a', xpath: '//a' }, y: { css: 'a', each: { z: 'b' }, type: 'number' } },
          },
        ],
      },
      ['INVALID_SELECTOR_RULE blocks[0].selectors.x', 'INVALID_SELECTOR_RULE blocks[0].selectors.y'],
    ],
    [
      'bad actions',
      {
        blocks: [
          {
            type: 'task',
            label: 'a',
            steps: [{ type: 'clack' }, { type: 'click', target: { css: 'a', text: 'b' } }, { type: 'wait_for', url: 'x', text: 'y' }],
          },
        ],
      },
      ['UNKNOWN_ACTION_TYPE blocks[0].steps[0].type', 'INVALID_SHAPE blocks[0].steps[1].target', 'INVALID_SHAPE blocks[0].steps[2]'],
    ],
  ])('refuses %s', (_, input, expected) => {
    expect(found(input)).toEqual(expected)
  })

  it('asks for an agent only where there is none', () => {
    const blocks = [
      { type: 'task', label: 't', navigationGoal: 'buy it' },
      { type: 'extraction', label: 'e', dataExtractionGoal: 'read it' },
      { type: 'while_loop', label: 'w', condition: { type: 'prompt', expression: 'more?' }, loopBlocks: [wait('a')] },
      { type: 'validation', label: 'v', completeCriterion: { type: 'prompt', expression: 'done?' } },
    ]
    expect(found({ blocks })).toEqual(
      ['blocks[0]', 'blocks[1]', 'blocks[2].condition', 'blocks[3].completeCriterion'].map((path) => `AGENT_REQUIRED ${path}`),
    )
    expect(found({ blocks }, { agent: true })).toEqual([])
  })

  it('knows the registered handlers, when they are given', () => {
    const input = { blocks: [{ type: 'code', label: 'a', handler: 'sumUp' }] }
    expect(found(input)).toEqual([])
    expect(issuesOf(input, { handlers: ['sumUpp'] })).toMatchObject([{ code: 'UNKNOWN_HANDLER', suggestion: 'sumUpp' }])
  })

  it('tells path, expected, received and the nearest known name', () => {
    const [key, type] = issuesOf({ blocks: [wait('a', { maxRetry: 1 }), { type: 'extractoin', label: 'b' }] })
    expect(key).toMatchObject({ code: 'UNKNOWN_KEY', suggestion: 'maxRetries', label: 'a' })
    expect(type).toMatchObject({ code: 'UNKNOWN_BLOCK_TYPE', received: 'extractoin', suggestion: 'extraction' })
    expect(issuesOf({ blocks: [wait('a', { waitSec: 0 })] })).toMatchObject([{ expected: 'at least 1', received: 0 }])
  })

  it('finds every mistake at once, each in its block', () => {
    const input = {
      nope: 1,
      blocks: [
        5,
        wait('a', { waitSec: 'x' }),
        { type: 'goto_url', label: 'a', nextBlockLabel: 'gone' },
        { type: 'nope', label: 'b', maxRetries: -1 },
      ],
    }
    expect(found(input)).toEqual([
      'UNKNOWN_KEY nope',
      'INVALID_SHAPE blocks[0]',
      'INVALID_SHAPE blocks[1].waitSec',
      'INVALID_SHAPE blocks[2].url',
      'UNKNOWN_BLOCK_TYPE blocks[3].type',
      'INVALID_SHAPE blocks[3].maxRetries',
      'DUPLICATE_LABEL blocks[2].label',
      'DANGLING_NEXT blocks[2].nextBlockLabel',
    ])
  })

  it('leaves code, patterns and schemas alone', () => {
    const blocks = [
      { type: 'code', label: 'a', code: 'const x = {{}, y: `{% z`' },
      { type: 'extraction', label: 'b', selectors: { x: { css: 'p', pattern: '\\{\\{(.*)' } }, schema: { description: '{{ x' } },
    ]
    expect(found({ blocks })).toEqual([])
  })

  it('takes block types of the host, strictly, also inside of loops', () => {
    const blockTypes = { ...builtInBlockSchemas, ping: z.object({ host: z.string(), timeoutSeconds: z.string().default('soon') }) }
    const input = (extra: object) => ({
      blocks: [
        { type: 'for_loop', label: 'f', loopVariableReference: 'x', loopBlocks: [{ type: 'ping', label: 'p', host: 'h', ...extra }] },
      ],
    })
    expect(found(input({ hots: 1 }), { blockTypes })).toEqual(['UNKNOWN_KEY blocks[0].loopBlocks[0].hots'])
    const { blocks } = parseWorkflowDefinition(input({}), { blockTypes })
    expect(blocks[0]).toMatchObject({ loopBlocks: [{ host: 'h', timeoutSeconds: 'soon', maxRetries: 0 }] })
  })

  it('throws nothing but DefinitionError, whatever it is given', () => {
    const text = fc.constantFrom('a', 'b', 'f', '__proto__', 'wait', 'conditional', 'for_loop', 'task', '{{ x', '')
    const loose: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
      any: fc.oneof({ depthSize: 'small' }, text, fc.integer(), fc.constant(null), fc.array(tie('any')), tie('block')),
      block: fc.record(
        {
          type: text,
          label: text,
          nextBlockLabel: tie('any'),
          branches: fc.array(tie('any')),
          loopBlocks: fc.array(tie('any')),
          steps: tie('any'),
          selectors: tie('any'),
        },
        { requiredKeys: [] },
      ),
    })).block
    fc.assert(
      fc.property(fc.array(loose), fc.array(fc.anything()), (blocks, parameters) => {
        issuesOf({ blocks, parameters, finallyBlockLabel: 'a' })
      }),
      { numRuns: 500 },
    )
    const cyclic: Record<string, unknown> = { type: 'task', label: 'a' }
    cyclic.navigationPayload = cyclic
    expect(issuesOf({ blocks: [cyclic] }).map(({ code }) => code)).toContain('INVALID_SHAPE')
  })

  it('has a schema for every action type', () => {
    for (const type of ACTION_TYPES) {
      const issues = actionSchema.safeParse({ type }).error?.issues ?? []
      expect(issues.filter((issue) => issue.path[0] === 'type')).toEqual([])
    }
  })
})
