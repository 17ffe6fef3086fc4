import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { analyzeGraph, buildGraph, type GraphBlock, nextAfter, successorsOf } from '../../../src/definition/index.js'
import { DefinitionError } from '../../../src/errors/index.js'

const block = (label: string, next?: string | null): GraphBlock => ({ label, nextBlockLabel: next })
const conditional = (label: string, targets: (string | null)[], next?: string | null): GraphBlock => ({
  label,
  nextBlockLabel: next,
  branches: targets.map((nextBlockLabel) => ({ nextBlockLabel })),
})
const codes = (blocks: readonly GraphBlock[], finallyBlockLabel?: string) =>
  analyzeGraph(blocks, { finallyBlockLabel }).issues.map((issue) => issue.code)

describe('buildGraph', () => {
  it('goes through a plain list from first to last', () => {
    const graph = buildGraph([block('first'), block('second')])
    expect(graph.root).toBe('first')
    expect(nextAfter(graph, 'first')).toBe('second')
    expect(nextAfter(graph, 'second')).toBeNull()
  })

  it('finds the cycle that sequential defaulting makes of a link back', () => {
    const { issues } = analyzeGraph([block('first'), block('second'), block('third', 'second')])
    expect(issues.map(({ code }) => code)).toEqual(['CYCLE'])
    expect(issues[0]?.received).toEqual(['second', 'third'])
  })

  it('keeps a terminal block last that stands before the branches', () => {
    const graph = buildGraph([
      block('start', 'extract'),
      block('extract', 'cond'),
      conditional('cond', ['a', 'b'], 'terminal'),
      block('terminal'),
      block('a'),
      block('b'),
    ])
    expect(graph.root).toBe('start')
    expect(graph.next.get('terminal')).toBeNull()
    expect([graph.next.get('a'), graph.next.get('b')]).toEqual(['terminal', 'terminal'])
  })

  it('joins the end of a branch chain, not its middle', () => {
    const graph = buildGraph([
      conditional('cond', ['start', null], 'merge'),
      block('start', 'middle'),
      block('middle', 'terminal'),
      block('terminal'),
      block('merge'),
    ])
    expect(graph.next.get('terminal')).toBe('merge')
    expect(graph.next.get('middle')).toBe('terminal')
  })

  const nested = [
    conditional('outer', ['inner', 'z'], 'merge'),
    conditional('inner', ['x', 'y']),
    block('x'),
    block('y'),
    block('z'),
    block('merge'),
  ]
  it.each([
    ['in order', nested],
    ['inner first', [nested[1], nested[2], nested[3], nested[0], nested[4], nested[5]] as GraphBlock[]],
  ])('patches a nested conditional, which patches its own branches (%s)', (_, blocks) => {
    const { next } = buildGraph(blocks)
    for (const label of ['inner', 'x', 'y', 'z']) expect(next.get(label)).toBe('merge')
  })

  it('walks a conditional to the matched branch, or on its own next when that is null', () => {
    const graph = buildGraph([conditional('cond', ['a', null], 'b'), block('a'), block('b')])
    expect(nextAfter(graph, 'cond', 'a')).toBe('a')
    expect(nextAfter(graph, 'cond', null)).toBe('b')
    expect(nextAfter(graph, 'cond')).toBe('b')
    expect(nextAfter(graph, 'b', 'a')).toBeNull()
    expect(successorsOf(graph, 'cond')).toEqual(['a', 'b'])
  })

  it('counts a conditional’s own next as an edge only where a branch leads nowhere', () => {
    expect(codes([conditional('cond', ['a', 'b'], 'join'), block('a', null), block('b', null), block('join')])).toEqual([])
    expect(codes([conditional('cond', ['a', null], 'join'), block('a'), block('join')])).toEqual([])
    const { issues } = analyzeGraph([conditional('cond', ['a'], 'join'), block('a', 'join2'), block('join2', 'a'), block('join')])
    expect(issues.map(({ code }) => code)).toEqual(['CYCLE', 'MULTIPLE_ROOTS'])
  })

  it('takes the finally block out of the walk, wherever it is named', () => {
    const graph = buildGraph([block('a', 'last'), block('last'), block('b')], { finallyBlockLabel: 'last' })
    expect(graph.labels).toEqual(['a', 'b'])
    expect(graph.next.get('a')).toBe('b')
    const branched = buildGraph([conditional('c', ['last', 'a'], 'last'), block('a', 'last'), block('last')], {
      finallyBlockLabel: 'last',
    })
    expect(nextAfter(branched, 'c', 'last')).toBeNull()
    expect(branched.next.get('a')).toBeNull()
  })

  it.each<[string, readonly GraphBlock[], string[]]>([
    ['nothing', [], ['NO_BLOCKS']],
    ['a target that is not there', [block('a', 'nope'), block('b')], ['DANGLING_NEXT']],
    ['an unused target that is not there', [conditional('c', ['a', 'b'], 'nope'), block('a'), block('b')], ['DANGLING_NEXT']],
    ['a branch target that is not there', [conditional('c', ['a', 'nope']), block('a')], ['DANGLING_NEXT']],
    ['a block that follows itself', [block('a', 'a')], ['CYCLE', 'NO_ROOT']],
    ['two roots', [conditional('c', ['x']), block('x'), block('a')], ['MULTIPLE_ROOTS']],
    ['an island', [conditional('c', [null]), block('a', 'b'), block('b', 'a')], ['CYCLE', 'UNREACHABLE_BLOCK', 'UNREACHABLE_BLOCK']],
  ])('refuses %s', (_, blocks, expected) => {
    expect(codes(blocks)).toEqual(expected)
  })

  it('refuses a repeated label, and nothing besides the finally block', () => {
    expect(() => buildGraph([block('a'), block('a')])).toThrow(/used twice/)
    expect(codes([block('last')], 'last')).toEqual(['NO_BLOCKS'])
  })

  it('takes labels that are names of object members', () => {
    const graph = buildGraph([block('__proto__'), block('constructor'), block('toString')])
    expect(graph.order).toEqual(['__proto__', 'constructor', 'toString'])
    expect(nextAfter(graph, '__proto__')).toBe('constructor')
  })

  it('ignores branches of blocks that are no conditionals', () => {
    expect(buildGraph([{ label: 'a', type: 'poll', branches: [{ nextBlockLabel: 'x' }] }, block('b')]).next.get('a')).toBe('b')
  })

  it('is not overwhelmed by ten thousand blocks, nor by deep nesting', () => {
    const list = Array.from({ length: 10_000 }, (_, index) => block(`b${index}`))
    expect(buildGraph(list).order).toHaveLength(10_000)
    const depth = 3_000
    const deep = Array.from({ length: depth }, (_, at) => depth - 1 - at).flatMap((level) => [
      conditional(`c${level}`, [level < depth - 1 ? `c${level + 1}` : 'x', `b${level}`], level === 0 ? 'merge' : null),
      block(`b${level}`),
    ])
    const graph = buildGraph([...deep, block('x'), block('merge')])
    expect(graph.next.get(`b${depth - 1}`)).toBe('merge')
  })

  const label = fc.constantFrom('a', 'b', 'c', 'd', 'e', '__proto__', 'nope')
  const target = fc.option(label, { nil: null })
  const anyBlock = fc.record(
    { label, nextBlockLabel: target, branches: fc.array(fc.record({ nextBlockLabel: target }), { maxLength: 3 }) },
    { requiredKeys: ['label'] },
  )
  it('never throws anything but DefinitionError, and what it accepts can be walked to the end', () => {
    fc.assert(
      fc.property(fc.array(anyBlock, { maxLength: 8 }), target, (blocks, finallyBlockLabel) => {
        try {
          const graph = buildGraph(blocks, { finallyBlockLabel })
          expect(graph.order[0]).toBe(graph.root)
          const place = new Map(graph.order.map((name, index) => [name, index]))
          for (const name of graph.labels) {
            for (const next of successorsOf(graph, name)) expect(place.get(next)).toBeGreaterThan(place.get(name) ?? Number.NaN)
          }
        } catch (error) {
          if (!DefinitionError.is(error)) throw error
        }
      }),
      { numRuns: 2_000 },
    )
  })
})
