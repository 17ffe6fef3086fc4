import { z } from 'zod'

/** What is read of a schema of zod, whatever its class. */
interface SchemaDef {
  readonly type: string
  readonly innerType?: z.ZodType
  readonly defaultValue?: unknown
  readonly element?: z.ZodType
  readonly valueType?: z.ZodType
  readonly options?: readonly z.ZodType[]
  readonly in?: z.ZodType
  readonly checks?: readonly { readonly _zod: { readonly def: { readonly params?: { readonly expected?: unknown } } } }[]
}

/** A field of an object schema, in words. */
export interface SchemaField {
  readonly name: string
  readonly type: string
  /** `required`, the default as JSON, or empty. */
  readonly whenLeftOut: string
}

/** Words for schemas that have a section of their own. */
export type NamedSchemas = ReadonlyMap<z.ZodType, string>

const defOf = (schema: z.ZodType): SchemaDef => (schema as unknown as { def: SchemaDef }).def

/** The fields of an object schema, in order. */
export function fieldsOf(schema: z.ZodObject, named: NamedSchemas): SchemaField[] {
  return Object.entries(schema.shape).map(([name, field]) => {
    const { type, defaultValue } = defOf(field as z.ZodType)
    const isOptional = (field as z.ZodType).safeParse(undefined).success
    const whenLeftOut = type === 'default' ? `\`${JSON.stringify(defaultValue)}\`` : isOptional ? '' : 'required'
    return { name, type: typeOf(field as z.ZodType, named), whenLeftOut }
  })
}

/** The rules beside those of single fields: `exactly one of css, xpath`. */
export function rulesOf(schema: z.ZodType): string[] {
  return (defOf(schema).checks ?? []).flatMap(({ _zod }) =>
    typeof _zod.def.params?.expected === 'string' ? [_zod.def.params.expected] : [],
  )
}

/** A type in words; ranges are told by the comments. */
export function typeOf(schema: z.ZodType, named: NamedSchemas): string {
  const name = named.get(schema)
  if (name !== undefined) return name
  const { type, innerType, element, valueType, options, in: input } = defOf(schema)
  switch (type) {
    case 'optional':
    case 'default':
      return innerType === undefined ? 'JSON' : typeOf(innerType, named)
    case 'nullable':
      return innerType === undefined ? 'null' : `${typeOf(innerType, named)} or null`
    case 'array':
      return `list of ${element === undefined ? 'JSON' : typeOf(element, named)}`
    case 'record':
      return `object of ${valueType === undefined ? 'JSON' : typeOf(valueType, named)}`
    case 'union':
      return [...new Set((options ?? []).map((option) => typeOf(option, named)))].join(' or ')
    case 'pipe':
      return input === undefined ? 'JSON' : typeOf(input, named)
    default:
      return shapeOf(z.toJSONSchema(schema, { unrepresentable: 'any', io: 'input' }) as JsonSchema)
  }
}

/** The parts of JSON Schema that outputs are made of. */
interface JsonSchema {
  readonly type?: string | readonly string[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly JsonSchema[]
  readonly items?: JsonSchema
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly $ref?: string
}

/** The shape of an output, as one line. */
export function outputOf(schema: z.ZodType): string {
  return shapeOf(z.toJSONSchema(schema, { unrepresentable: 'any' }) as JsonSchema)
}

function shapeOf(schema: JsonSchema): string {
  const { type, enum: values, anyOf, items, properties, required = [] } = schema
  if (schema.$ref !== undefined) return 'JSON'
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``
  if (values !== undefined) return values.map((value) => `\`${value}\``).join(' / ')
  if (properties !== undefined) {
    const fields = Object.entries(properties).map(([name, field]) => `${name}${required.includes(name) ? '' : '?'}: ${shapeOf(field)}`)
    return `{ ${fields.join(', ')} }`
  }
  if (type === 'array') return `list of ${shapeOf(items ?? {})}`
  if (anyOf !== undefined) return anyOf.length > 3 ? 'JSON' : anyOf.map(shapeOf).join(' or ')
  if (type === undefined) return 'JSON'
  const names = typeof type === 'string' ? [type] : type
  return names.map((name) => (name === 'string' ? 'text' : name)).join(' or ')
}
