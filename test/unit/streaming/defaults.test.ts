import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { MemoryStorage } from '../../../src/storage/index.js'
import { issueTokenSchema, screenshotSchema, startDisplaySchema } from '../../../src/streaming/stream-params.js'
import { parseSupervisorOptions } from '../../../src/streaming/supervisor-options.js'

/** The literal defaults that doc-comments of an interface promise, by field. */
function documented(file: string, interfaceName: string): Record<string, unknown> {
  const source = readFileSync(new URL(`../../../src/streaming/${file}`, import.meta.url), 'utf8')
  const body = new RegExp(`interface ${interfaceName} [^{]*\\{\\n([\\s\\S]*?)\\n\\}`).exec(source)?.[1] ?? ''
  const found: Record<string, unknown> = {}
  for (const [, literal, name] of body.matchAll(/@default ('[^']*'|[\d_]+|null|true|false|\[\])[^\n]*\*\/\n\s*readonly (\w+)\?:/g)) {
    if (literal && name) found[name] = JSON.parse(literal.replaceAll("'", '"').replaceAll('_', ''))
  }
  return found
}

describe('defaults in doc-comments', () => {
  it.each([
    ['supervisor-options.ts', 'StreamingSupervisorOptions', parseSupervisorOptions({ storage: new MemoryStorage() }), 4],
    ['stream-params.ts', 'StartDisplayParams', startDisplaySchema.parse({ browserSessionId: 'bs_1' }), 5],
    ['stream-params.ts', 'IssueTokenParams', issueTokenSchema.parse({ browserSessionId: 'bs_1', scope: 'view' }), 2],
    ['stream-params.ts', 'ScreenshotParams', screenshotSchema.parse({ browserSessionId: 'bs_1' }), 2],
  ])('%s: %s says what the schema does', (file, interfaceName, defaults, count) => {
    const promised = documented(file, interfaceName)
    expect(Object.keys(promised)).toHaveLength(count)
    expect(defaults).toMatchObject(promised)
  })
})
