import { describe, expect, it } from 'vitest'
import { buildGraph, computeConditionalScopes, type GraphBlock } from '../../../src/definition/index.js'

const block = (label: string, next?: string): GraphBlock => ({ label, nextBlockLabel: next })
const conditional = (label: string, targets: (string | null)[], next?: string): GraphBlock => ({
  label,
  nextBlockLabel: next,
  branches: targets.map((nextBlockLabel) => ({ nextBlockLabel })),
})
const scopes = (...blocks: GraphBlock[]) => Object.fromEntries(computeConditionalScopes(buildGraph(blocks)))

describe('computeConditionalScopes', () => {
  it.each<[string, GraphBlock[], Record<string, string>]>([
    ['two branches that join', [conditional('C', ['A', 'B'], 'M'), block('A'), block('B'), block('M')], { A: 'C', B: 'C' }],
    [
      'a long and a short branch',
      [conditional('C', ['A', 'D'], 'M'), block('A', 'B'), block('B'), block('D'), block('M')],
      { A: 'C', B: 'C', D: 'C' },
    ],
    ['branches that lead nowhere', [conditional('C', [null, null], 'M'), block('M')], {}],
    ['branches that lead to one block', [conditional('C', ['A', 'A'], 'M'), block('A'), block('M')], {}],
    ['a branch beside none', [conditional('C', ['A', null], 'M'), block('A'), block('M')], { A: 'C' }],
    ['branches that never join', [conditional('C', ['A', null]), block('A', 'B'), block('B')], { A: 'C', B: 'C' }],
    [
      'a conditional in a branch',
      [conditional('C1', ['C2', 'Z'], 'M'), conditional('C2', ['X', 'Y']), block('X'), block('Y'), block('Z'), block('M')],
      { C2: 'C1', Z: 'C1', X: 'C2', Y: 'C2' },
    ],
    [
      'a conditional in a branch that joins by its own links',
      [conditional('C1', ['C2', 'Z']), conditional('C2', ['X', 'Y']), block('X', 'J'), block('Y', 'J'), block('J'), block('Z')],
      { C2: 'C1', J: 'C1', Z: 'C1', X: 'C2', Y: 'C2' },
    ],
    [
      'two conditionals one after the other',
      [conditional('C1', ['A', 'B'], 'C2'), block('A'), block('B'), conditional('C2', ['X', 'Y']), block('X'), block('Y')],
      { A: 'C1', B: 'C1', X: 'C2', Y: 'C2' },
    ],
  ])('%s', (_, blocks, expected) => {
    expect(scopes(...blocks)).toEqual(expected)
  })
})
