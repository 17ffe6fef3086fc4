import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const project = fileURLToPath(new URL('../../', import.meta.url))

describe('scripts/build-if-stale.mjs', () => {
  let folder: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'runwright-build-'))
    symlinkSync(join(project, 'node_modules'), join(folder, 'node_modules'), 'junction')
    cpSync(join(project, 'package.json'), join(folder, 'package.json'))
    writeFileSync(join(folder, 'tsup.config.ts'), `export default { entry: ['src/index.ts'], format: 'esm' }`)
    mkdirSync(join(folder, 'src/deep'), { recursive: true })
    writeFileSync(join(folder, 'src/index.ts'), `export { a } from './deep/a.js'`)
    writeFileSync(join(folder, 'src/deep/a.ts'), 'export const a = 1')
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const build = (...flags: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(project, 'scripts/build-if-stale.mjs'), ...flags, folder], {
      encoding: 'utf8',
    })
    return { status, stdout, stderr }
  }
  const quiet = { status: 0, stdout: '', stderr: '' }
  const inTheFuture = new Date(Date.now() + 3_600_000)

  it('builds what is not there, in one line, and then only what is stale', () => {
    expect(build()).toMatchObject({ status: 0, stdout: expect.stringMatching(/^Building dist … \d+\.\d s\n$/), stderr: '' })
    expect(existsSync(join(folder, 'dist/index.js'))).toBe(true)
    expect(build()).toEqual(quiet)
    utimesSync(join(folder, 'src/deep/a.ts'), inTheFuture, inTheFuture)
    expect(build().stdout).toContain('Building')
  })

  it('builds again when the types are asked for and not there', () => {
    writeFileSync(
      join(folder, 'tsup.config.ts'),
      `export default { entry: ['src/index.ts'], format: 'esm', dts: process.env.RUNWRIGHT_BUILD_TYPES === 'true' }`,
    )
    expect(build().stdout).toContain('Building')
    expect(existsSync(join(folder, 'dist/index.d.ts'))).toBe(false)
    expect(build('--types').stdout).toContain('Building')
    expect(existsSync(join(folder, 'dist/index.d.ts'))).toBe(true)
    expect(build('--types')).toEqual(quiet)
  })

  it('shows everything when the build fails', () => {
    writeFileSync(join(folder, 'src/deep/a.ts'), 'export const a = (')
    const { status, stderr } = build()
    expect(status).toBe(1)
    expect(stderr).toContain('src/deep/a.ts:1')
    expect(stderr).toContain('Building dist failed.')
  })
})
