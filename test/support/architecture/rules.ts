import { browserFolder, house, neverInSource, neverInSourceExceptions, packages, runtimeOnly, runtimeOnlyExceptions } from './house.js'
import { findCycles } from './import-cycles.js'
import type { ImportFact, SourceFacts } from './source-facts.js'
import { packageOf, resolveImport, roomOf } from './source-paths.js'

/** One broken rule, at one line. */
export interface Violation {
  readonly rule: string
  readonly path: string
  readonly line: number
  readonly message: string
}

type Finding = Pick<Violation, 'line' | 'message'>

/** The rules that look at one file at a time, by name. */
const fileRules: Readonly<Record<string, (file: SourceFacts) => Finding[]>> = {
  direction: (file) => file.imports.flatMap((fact) => checkDirection(file, fact)),
  package: (file) => file.imports.flatMap((fact) => checkPackage(file, fact)),
  'runtime-only': checkRuntimeOnly,
  'process-and-console': checkProcessAndConsole,
  'default-export': ({ defaultExportLines }) => defaultExportLines.map((line) => ({ line, message: 'default export: export it by name' })),
  enum: ({ enumLines }) => enumLines.map((line) => ({ line, message: 'enum: use an `as const` union' })),
}

/** Every broken rule of the given files. */
export function checkArchitecture(files: readonly SourceFacts[]): Violation[] {
  const found = files.flatMap((file) =>
    Object.entries(fileRules).flatMap(([rule, check]) => check(file).map((finding) => ({ rule, path: file.path, ...finding }))),
  )
  const cycles = findCycles(files).map((cycle) => ({ rule: 'cycle', path: cycle[0] ?? '', line: 1, message: cycle.join(' → ') }))
  return [...found, ...cycles]
}

/** `src/engine/walker.ts:3  direction: …`, as editors and terminals link it. */
export function formatViolation({ rule, path, line, message }: Violation): string {
  return `src/${path}:${line}  ${rule}: ${message}`
}

function checkDirection(file: SourceFacts, { specifier, kind, line }: ImportFact): Finding[] {
  const target = resolveImport(file.path, specifier)
  if (target === undefined) return []
  if (target.startsWith('..')) return [{ line, message: `${specifier} is outside src/` }]
  const [from, to] = [roomOf(file.path), roomOf(target)]
  if (from === to || file.path.startsWith(browserFolder)) return []
  const rule = house[from]
  if (rule === undefined) return [{ line, message: `${from} is no room of the house` }]
  if (rule.values === 'anything' || rule.values.includes(to)) return []
  if (rule.types?.includes(to) !== true) return [{ line, message: `${from} may not import ${to} (${specifier})` }]
  return kind === 'type' ? [] : [{ line, message: `${from} may import only types of ${to} (${specifier}): use import type` }]
}

function checkPackage(file: SourceFacts, { specifier, kind, isDynamic, line }: ImportFact): Finding[] {
  const name = packageOf(specifier)
  if (name === undefined) return []
  if (file.path.startsWith(browserFolder)) return [{ line, message: `${specifier} in a browser script` }]
  if (specifier.startsWith('node:')) return []
  const rule = Object.hasOwn(packages, name) ? packages[name] : undefined
  if (rule === undefined) return [{ line, message: `${name} is not among the packages that may be imported` }]
  const isHere = (places: readonly string[]) => places.some((place) => place === file.path || place === roomOf(file.path))
  if (rule.at !== 'anywhere' && !isHere(rule.at)) {
    if (!isHere(rule.typesAt ?? [])) return [{ line, message: `${name} belongs in ${[...rule.at].join(', ')}` }]
    return kind === 'type' ? [] : [{ line, message: `only types of ${name} may be used here: use import type` }]
  }
  if (rule.isLazy !== true || kind === 'type' || isDynamic) return []
  return [{ line, message: `${name} is an optional peer: load it by a dynamic import` }]
}

function checkRuntimeOnly(file: SourceFacts): Finding[] {
  if (roomOf(file.path) === 'runtime' || file.path.startsWith(browserFolder)) return []
  return file.uses.flatMap(({ name, isWrite, isCalledEmpty, line }) => {
    if (isWrite && isOneOf(name, ['process.env'])) return [{ line, message: 'process.env is written' }]
    if (name === 'Date' && isCalledEmpty) return [{ line, message: 'the present time is read by new Date(): use the clock' }]
    if (!isOneOf(name, runtimeOnly) || isOneOf(name, runtimeOnlyExceptions[file.path] ?? [])) return []
    return [{ line, message: `${name} outside runtime/: use the clock, ids or random source that is handed in` }]
  })
}

function checkProcessAndConsole(file: SourceFacts): Finding[] {
  return file.uses.flatMap(({ name, line }) => {
    if (!isOneOf(name, neverInSource) || isOneOf(name, neverInSourceExceptions[file.path] ?? [])) return []
    return [{ line, message: `${name}: the library leaves process and terminal to its host` }]
  })
}

/** Whether a dotted name is one of these, or a member of one. */
function isOneOf(name: string, list: readonly string[]): boolean {
  return list.some((entry) => name === entry || name.startsWith(`${entry}.`))
}
