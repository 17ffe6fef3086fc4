import { z } from 'zod'

type Shape = Readonly<Record<string, z.ZodType>>
type Bare<S> = S extends z.ZodDefault<infer T extends z.ZodType> ? T : S
type WithoutDefaults<S extends Shape> = { [K in keyof S]: z.ZodOptional<Bare<S[K]> & z.ZodType> }

/** The same keys, each of which may be left out and is undefined then, default or not. */
export function withoutDefaults<S extends Shape>(shape: S): WithoutDefaults<S> {
  const bare = (schema: z.ZodType) => (schema instanceof z.ZodDefault ? (schema.unwrap() as z.ZodType) : schema)
  return Object.fromEntries(Object.entries(shape).map(([key, schema]) => [key, bare(schema).optional()])) as WithoutDefaults<S>
}
