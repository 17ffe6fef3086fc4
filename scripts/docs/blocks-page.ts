import { readdirSync, readFileSync } from 'node:fs'
import { z } from 'zod'
import { builtInBlocks } from '../../src/blocks/index.js'
import { actionSchema, actionSchemas } from '../../src/definition/actions.js'
import { blockCommonSchema } from '../../src/definition/block-common.js'
import { branchSchema, forLoopConfigSchema, goalConfigSchema } from '../../src/definition/blocks.js'
import { criteriaSchema } from '../../src/definition/criteria.js'
import { workflowParameterSchema } from '../../src/definition/parameters-schema.js'
import { playbookSchema, playbookStepSchema, stepSchema } from '../../src/definition/playbook.js'
import { ruleSchema, selectorsSchema } from '../../src/definition/selectors.js'
import { targetSchema } from '../../src/definition/target.js'
import { table } from './markdown.js'
import { fieldsOf, type NamedSchemas, outputOf, rulesOf, type SchemaField } from './schema-types.js'
import { readComments, type SourceComments } from './source-comments.js'

const named: NamedSchemas = new Map<z.ZodType, string>([
  [targetSchema, '[target](#targets)'],
  [selectorsSchema, '[selectors](#selectors)'],
  [criteriaSchema, '[criteria](#criteria)'],
  [actionSchema, '[step](#steps)'],
  [stepSchema, '[step](#steps)'],
  [workflowParameterSchema, 'parameter of the kind `workflow`'],
  [branchSchema, '[branch](#branches)'],
  [forLoopConfigSchema.shape.loopBlocks, 'list of blocks'],
])

/** The page of all block types, step types, targets and selectors, made from the schemas and the comments beside them. */
export function blocksPage(sources: URL): string {
  const comments = readComments([...textsIn(new URL('definition/', sources)), ...textsIn(new URL('blocks/', sources))])
  const page = new BlocksPage(comments)
  return [
    '# Blocks and steps',
    '<!-- Made from src/definition and src/blocks by `npm run docs:generate`. -->',
    'Everything that a definition is made of, field by field. How the parts work together is told in [workflows](workflows.md). "Text" is any string; unless it says otherwise, a text of a block is a template. Unknown fields are refused.',
    ...page.common(),
    '## Block types',
    ...page.goalBlocks(),
    ...builtInBlocks.flatMap((block) => page.block(block)),
    ...page.parts(),
    ...page.steps(),
    ...page.playbooks(),
    ...page.finders(),
    '',
  ].join('\n\n')
}

const textsIn = (folder: URL) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.ts'))
    .sort()
    .map((name) => readFileSync(new URL(name, folder), 'utf8'))

const goalKeys: ReadonlySet<string> = new Set(Object.keys(goalConfigSchema.shape))
const isGoal = ({ shape }: z.ZodObject) => [...goalKeys].every((key) => Object.hasOwn(shape, key))

class BlocksPage {
  readonly #comments: SourceComments

  constructor(comments: SourceComments) {
    this.#comments = comments
  }

  common(): string[] {
    return [
      '## Fields of every block',
      this.#fields(blockCommonSchema, ['blockCommonSchema']),
      '`disableCache` and `model` of a block are stored with the definition and change nothing in this version. What follows from `idempotent: false` tells [recovery](recovery.md#choosing-onhostlost).',
    ]
  }

  goalBlocks(): string[] {
    const types = builtInBlocks.filter(({ schema }) => isGoal(schema))
    const first = types[0]?.output
    return [
      `The goal blocks (${types.map(({ type }) => `\`${type}\``).join(', ')}) share these fields:`,
      this.#fields(goalConfigSchema, ['goalConfigSchema']),
      ...(first === undefined ? [] : [`Their output: ${outputOf(first)}.`]),
      'Without steps and without a playbook, the agent of the engine (option `agent`) reaches `navigationGoal`, or else `title`. Where the engine has none, such a block is refused when the workflow is created (`AGENT_REQUIRED`), and what is there for the agent changes nothing.',
    ]
  }

  block({ type, schema, output }: (typeof builtInBlocks)[number]): string[] {
    const goal = isGoal(schema)
    const owners = this.#ownersOf(schema, type)
    const own = fieldsOf(schema, named).filter(({ name }) => !goal || !goalKeys.has(name))
    const rules = rulesOf(schema)
    return [
      `### ${type}`,
      this.#comments.blockTypes.get(type) ?? '',
      ...(own.length === 0 ? [] : [this.#rows(own, owners)]),
      ...(rules.length === 0 ? [] : [`Rule: ${rules.join('; ')}.`]),
      goal ? 'A goal block: the fields and the output are those above.' : `Output: ${output === undefined ? 'JSON' : outputOf(output)}.`,
    ]
  }

  parts(): string[] {
    return [
      '### Branches',
      this.#fields(branchSchema, ['branchSchema']),
      '### Criteria',
      this.#doc('criteriaSchema'),
      this.#fields(criteriaSchema, ['criteriaSchema']),
    ]
  }

  steps(): string[] {
    const { click } = actionSchemas
    const commonKeys = Object.keys(click.shape).filter((key) =>
      Object.values(actionSchemas).every(({ shape }) => Object.hasOwn(shape, key)),
    )
    const common = fieldsOf(click, named).filter(({ name }) => commonKeys.includes(name) && name !== 'type')
    const types = Object.entries(actionSchemas).flatMap(([type, schema]) => {
      const own = fieldsOf(schema, named).filter(({ name }) => !commonKeys.includes(name))
      const doc = this.#comments.fields.get('actionSchemas')?.get(type) ?? ''
      const rules = rulesOf(schema)
      return [
        `### \`${type}\``,
        ...(doc === '' ? [] : [doc]),
        own.length === 0 ? 'No fields of its own.' : this.#rows(own, [`actionSchemas.${type}`]),
        ...(rules.length === 0 ? [] : [`Rule: ${rules.join('; ')}.`]),
      ]
    })
    return [
      '## Steps',
      'What `steps` of goal blocks hold, and `page.perform` of handlers takes. Every step has:',
      this.#rows(common, ['common']),
      ...types,
    ]
  }

  playbooks(): string[] {
    return [
      '## Steps with recovery',
      'In place of an action, an entry of `steps` may wrap one, or call a playbook that is stored with the workflow:',
      this.#rows(
        fieldsOf(playbookStepSchema, named).filter(({ name }) => name !== 'type'),
        ['playbookStepSchema'],
      ),
      `Rule: ${rulesOf(playbookStepSchema).join('; ')}.`,
      'What follows after a failure, in this order, as far as `onFailure` allows it: the step is made again, if it is idempotent or the failure proves that nothing was done (the element was not there, or not exactly one; a click whose element did not become ready); its element is found by another way that was recorded when it was last touched (`abort` too, if the element was not there), and only if it is the same element by kind and name; an agent does this one step. What is blocked or canceled is never tried again, and a step that is done is never done again. A call of a playbook is made again, or handed to the agent, only with `idempotent: true`: the steps in it recover each by itself.',
      '## Playbooks',
      '`createWorkflow({ playbooks: [...] })` and `savePlaybook({ workflowPermanentId, ... })` take:',
      this.#fields(playbookSchema, ['playbookSchema']),
    ]
  }

  finders(): string[] {
    const rule = ruleObject()
    return [
      '## Targets',
      'Name one element: exactly one way, with `nth` and `frame` where they are needed. Every text is a template.',
      this.#fields(targetSchema, ['targetSchema']),
      '## Selectors',
      'What to read from a page: an object with a rule for each field of the result. A rule is a CSS selector (the trimmed text of the first match), or an object:',
      this.#fields(rule, ['SelectorRule']),
      `Rules: ${rulesOf(rule).join('; ')}.`,
      '## Address patterns',
      this.#doc('matchesUrl'),
    ]
  }

  #doc(name: string): string {
    return this.#comments.exports.get(name) ?? ''
  }

  #ownersOf(schema: z.ZodObject, type: string): string[] {
    const names: Readonly<Record<string, string>> = {
      goto_url: 'gotoUrl',
      human_interaction: 'humanInteraction',
      workflow_trigger: 'workflowTrigger',
      file_download: 'fileDownload',
      for_loop: 'forLoop',
      while_loop: 'whileLoop',
    }
    return [`${names[type] ?? type}ConfigSchema`, ...(isGoal(schema) ? ['goalConfigSchema'] : [])]
  }

  #fields(schema: z.ZodObject, owners: readonly string[]): string {
    return this.#rows(fieldsOf(schema, named), owners)
  }

  #rows(fields: readonly SchemaField[], owners: readonly string[]): string {
    const meaning = (name: string) => {
      const docs = owners.map((owner) => this.#comments.fields.get(owner)?.get(name) ?? '')
      return (docs.find((doc) => doc !== '') ?? '').replace('see `matchesUrl`', 'see [address patterns](#address-patterns)')
    }
    return table(
      ['Field', 'Type', 'Default', 'Meaning'],
      fields.map(({ name, type, whenLeftOut }) => [`\`${name}\``, type, whenLeftOut, meaning(name)]),
    )
  }
}

/** The object form of a rule. */
function ruleObject(): z.ZodObject {
  const union = (ruleSchema as unknown as z.ZodLazy<z.ZodUnion<[z.ZodString, z.ZodObject]>>).unwrap()
  const found = union.options.find((option) => option instanceof z.ZodObject)
  if (found === undefined) throw new TypeError('ruleSchema holds no object')
  return found
}
