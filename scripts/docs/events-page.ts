import { z } from 'zod'
import { runResultSchema } from '../../src/events/run-result.js'
import { eventSchemas } from '../../src/events/schemas.js'
import { table } from './markdown.js'

/** The parts of JSON Schema that payloads are made of. */
interface FieldSchema {
  readonly type?: string | readonly string[]
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly FieldSchema[]
  readonly items?: FieldSchema
  readonly properties?: Readonly<Record<string, FieldSchema>>
  readonly required?: readonly string[]
}

/** The page of all event types with their payloads. Fields that every event of a group has are told once, above its table. */
export function eventsPage(): string {
  const groups = groupsOf(Object.keys(eventSchemas))
  return [
    '# Events',
    '<!-- Made from src/events/schemas.ts by `npm run docs:generate`. -->',
    'Listeners get `(payload, event)`: `engine.on(type, listener)`, `sessions.on(…)`, `streaming.on(…)` and `debug.on(…)` for one type, `onAny` for all. An event is emitted after its write has succeeded, and is stored with it: `run.events()`, `engine.events(…)` and `sessions.events(…)` read the same ones again.',
    "Every event has `type`, `id`, `at` (when it was committed, by the storage's clock), `organizationId`, `stream` (`run:<id>`, `session:<id>`, `workflow:<id>` or `debug:<id>`), `seq` (gapless from 1 within its stream) and `payload`.",
    ...[...groups].flatMap(([group, types]) => section(group, types)),
    '## Result of a run',
    'What the last event of a run carries, and `run.result()` returns.',
    table(
      ['Field', 'Type'],
      fieldsOf(runResultSchema).map(({ name, type }) => [`\`${name}\``, type]),
    ),
    '',
  ].join('\n\n')
}

function groupsOf(types: readonly string[]): Map<string, string[]> {
  const groups = new Map<string, string[]>()
  for (const type of types) {
    const group = type.slice(0, type.indexOf('.'))
    groups.set(group, [...(groups.get(group) ?? []), type])
  }
  return groups
}

function section(group: string, types: readonly string[]): string[] {
  const result = namesOf(fieldsOf(runResultSchema))
  const events = types.map((type) => ({ type, description: schemaOf(type).description ?? '', fields: fieldsOf(schemaOf(type)) }))
  const payloads = events.map(({ fields }) => fields.map(show)).filter((fields) => fields.length < result.length)
  const shared = types.length === 1 ? [] : (payloads[0] ?? []).filter((field) => payloads.every((fields) => fields.includes(field)))
  const rows = events.map(({ type, description, fields }) => {
    if (namesOf(fields).join() === result.join()) return [`\`${type}\``, description, '[the result of the run](#result-of-a-run)']
    const own = fields.map(show).filter((field) => !shared.includes(field))
    return [`\`${type}\``, description, own.length === 0 ? '–' : own.join(', ')]
  })
  const common = shared.length === 0 ? [] : [`All have ${shared.join(', ')}.`]
  return [`## ${group}`, ...common, table(['Type', 'When', shared.length === 0 ? 'Payload' : 'Payload besides'], rows)]
}

/** A field of a payload; its type in words. */
interface Field {
  readonly name: string
  readonly type: string
}

const show = ({ name, type }: Field) => `\`${name}\` ${type}`
const namesOf = (fields: readonly Field[]) => fields.map(({ name }) => name)

function schemaOf(type: string): z.ZodType {
  return eventSchemas[type as keyof typeof eventSchemas]
}

function fieldsOf(schema: z.ZodType): Field[] {
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { unrepresentable: 'any' }) as FieldSchema
  return Object.entries(properties).map(([name, field]) => ({
    name,
    type: `${typeOf(field)}${required.includes(name) ? '' : ' (optional)'}`,
  }))
}

function typeOf(field: FieldSchema): string {
  if (field.anyOf !== undefined) return field.anyOf.map(typeOf).join(' or ')
  if (field.enum !== undefined) return field.enum.map((value) => `\`${value}\``).join(' / ')
  if (field.type === 'array') return `list of ${typeOf(field.items ?? {})}`
  if (field.type === 'object' && field.properties !== undefined)
    return `object of ${Object.keys(field.properties)
      .map((name) => `\`${name}\``)
      .join(', ')}`
  return [field.type ?? 'JSON'].flat().join(' or ')
}
