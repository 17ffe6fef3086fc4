import { z } from 'zod'
import { conditionalConfigSchema } from '../definition/index.js'
import type { Json } from '../errors/index.js'
import { completed, failed } from './block-result.js'
import { holds } from './criteria.js'
import { defineBlock } from './define-block.js'

/** Takes the first branch whose criteria hold, else the default one. */
export const conditional = defineBlock({
  type: 'conditional',
  schema: conditionalConfigSchema,
  output: z.object({
    branchTaken: z.string().nullable(),
    branchIndex: z.number().int(),
    branchId: z.string(),
    branchDescription: z.string().nullable(),
    criteriaType: z.string().nullable(),
    criteriaExpression: z.string().nullable(),
    nextBlockLabel: z.string().nullable(),
    evaluations: z.array(z.object({ branchIndex: z.number().int(), expression: z.string(), result: z.boolean() })),
  }),
  async execute(block, context) {
    const evaluations: Json[] = []
    let taken = block.branches.findIndex((branch) => branch.isDefault)
    for (const [branchIndex, { criteria, isDefault, id }] of block.branches.entries()) {
      if (isDefault || criteria === null || criteria === undefined) continue
      let result: boolean
      try {
        result = holds(criteria, context)
      } catch (cause) {
        const message = cause instanceof Error ? cause.message : String(cause)
        return failed(`Branch ${branchIndex} (${id ?? 'no id'}) cannot be evaluated: ${message}`, 'BRANCH_ERROR', { cause })
      }
      evaluations.push({ branchIndex, expression: criteria.expression, result })
      if (!result) continue
      taken = branchIndex
      break
    }
    const branch = block.branches[taken]
    if (branch === undefined) {
      return failed(
        `None of the ${block.branches.length} branches of "${block.label}" matched, and there is no default`,
        'NO_BRANCH_MATCHED',
        { output: { evaluations } },
      )
    }
    const decision = { branchTaken: branch.nextBlockLabel, branchIndex: taken, branchId: branch.id ?? '' }
    return completed(
      {
        ...decision,
        branchDescription: branch.description ?? null,
        criteriaType: branch.criteria?.type ?? null,
        criteriaExpression: branch.criteria?.expression ?? null,
        nextBlockLabel: context.nextBlock(branch.nextBlockLabel),
        evaluations,
      },
      decision,
    )
  },
})
