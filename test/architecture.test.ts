import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { readSource } from './support/architecture/read-source.js'
import { checkArchitecture, formatViolation } from './support/architecture/rules.js'
import { readFacts } from './support/architecture/source-facts.js'
import { packageOf } from './support/architecture/source-paths.js'

const LONGEST_FILE_LINES = 400
const LONG_FILE_LINES = 200

const project = fileURLToPath(new URL('../', import.meta.url))
const facts = readFacts(readSource(`${project}src`))

describe('src/', () => {
  it('keeps the rules of the house', () => {
    expect(facts.length).toBeGreaterThan(100)
    expect(checkArchitecture(facts).map(formatViolation)).toEqual([])
  })

  it('imports only packages that its users get or are asked for', () => {
    const { dependencies, peerDependencies } = JSON.parse(readFileSync(`${project}package.json`, 'utf8'))
    const declared = Object.keys({ ...dependencies, ...peerDependencies })
    const imported = new Set(facts.flatMap(({ imports }) => imports.map(({ specifier }) => packageOf(specifier) ?? 'node:')))
    expect([...imported].filter((name) => !name.startsWith('node:') && !declared.includes(name))).toEqual([])
  })

  it(`has no file past ${LONGEST_FILE_LINES} lines`, () => {
    const byLength = [...facts].sort((one, other) => other.lineCount - one.lineCount)
    const long = byLength.filter(({ lineCount }) => lineCount > LONG_FILE_LINES).map(({ path, lineCount }) => `  ${lineCount}  src/${path}`)
    if (long.length > 0) console.log(`Files past ${LONG_FILE_LINES} lines, where ${LONGEST_FILE_LINES} is the end:\n${long.join('\n')}`)
    expect(
      byLength.filter(({ lineCount }) => lineCount > LONGEST_FILE_LINES).map(({ path, lineCount }) => `${path}: ${lineCount}`),
    ).toEqual([])
  })
})
