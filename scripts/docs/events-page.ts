import { z } from 'zod'
import { eventSchemas } from '../../src/events/schemas.js'
import { table } from './markdown.js'

/** The parts of JSON Schema that payloads are made of. */
interface FieldSchema {
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly FieldSchema[]
  readonly items?: FieldSchema
  readonly description?: string
  readonly properties?: Readonly<Record<string, FieldSchema>>
  readonly required?: readonly string[]
}

/** The page of all event types with their payloads. Fields that every event of a group has are told once, above its table. */
export function eventsPage(): string {
  const groups = groupsOf(Object.keys(eventSchemas))
  return [
    '# Events',
    '<!-- Made from src/events/schemas.ts by `npm run docs:generate`. -->',
    'Listeners get `(payload, event)`: `engine.on(type, listener)`, `sessions.on(…)` and `streaming.on(…)` for one type, `onAny` for all. An event is emitted after its write has succeeded, and is stored: `run.events()` and `readEvents` read the same ones again.',
    'Every event has `type`, `id`, `at` (when it was committed, by the storage\'s clock), `organizationId`, `stream` (`run:<id>`, `session:<id>` or `workflow:<id>`), `seq` (gapless from 1 within its stream) and `payload`.',
    ...[...groups].flatMap(([group, types]) => section(group, types)),
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
  const payloads = types.map((type) => fieldsOf(type))
  const [first = []] = payloads
  const isShared = (field: string) => types.length > 1 && payloads.every((fields) => fields.includes(field))
  const shared = first.filter(isShared)
  const rows = types.map((type, index) => [`\`${type}\``, descriptionOf(type), listOf((payloads[index] ?? []).filter((field) => !isShared(field)))])
  const common = shared.length === 0 ? [] : [`All have ${shared.join(', ')}.`]
  return [`## ${group}`, ...common, table(['Type', 'When', shared.length === 0 ? 'Payload' : 'Payload besides'], rows)]
}

const listOf = (fields: readonly string[]) => (fields.length === 0 ? '–' : fields.join(', '))

function schemaOf(type: string): FieldSchema {
  return z.toJSONSchema(eventSchemas[type as keyof typeof eventSchemas], { unrepresentable: 'any' }) as FieldSchema
}

function descriptionOf(type: string): string {
  return schemaOf(type).description ?? ''
}

/** `` `durationMs` number `` for each field of a payload. */
function fieldsOf(type: string): string[] {
  const { properties = {}, required = [] } = schemaOf(type)
  return Object.entries(properties).map(([name, field]) => `\`${name}\` ${typeOf(field)}${required.includes(name) ? '' : ' (optional)'}`)
}

function typeOf(field: FieldSchema): string {
  if (field.anyOf !== undefined) return field.anyOf.map(typeOf).join(' or ')
  if (field.enum !== undefined) return field.enum.map((value) => `\`${value}\``).join(' / ')
  if (field.type === 'array') return `list of ${typeOf(field.items ?? {})}`
  if (field.type === 'object' && field.properties !== undefined) return `object of ${Object.keys(field.properties).join(', ')}`
  return field.type ?? 'JSON'
}
