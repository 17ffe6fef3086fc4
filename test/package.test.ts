import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Consumer, pinned, type Tarball } from './support/package/consumer.js'
import { publicShape } from './support/package/public-shape.js'

/** Makes one thing of each entry, and prints what it was; `load` is `import` or `require`. */
const useEveryEntry = (load: (specifier: string) => string) => `
const { MemoryStorage, RunwrightError, SessionPool, WorkflowNotFoundError } = ${load('runwright')}
const { PlaywrightDriver } = ${load('runwright/playwright')}
const { createHttpHandler } = ${load('runwright/http')}
const { FakeClock } = ${load('runwright/testing')}
const { PostgresStorage } = ${load('runwright/postgres')}
const storage = new MemoryStorage()
const pool = new SessionPool({ storage, driver: new PlaywrightDriver() })
const error = new WorkflowNotFoundError('w_1')
console.log([storage, pool, new FakeClock(), new PostgresStorage({ pglite: 'nowhere' })].map((thing) => thing.constructor.name).join(' '), typeof createHttpHandler, error instanceof RunwrightError)
`
const everythingUsed = 'MemoryStorage SessionPool FakeClock PostgresStorage function true\n'

const byImport = useEveryEntry((specifier) => `await import('${specifier}')`)
const byRequire = useEveryEntry((specifier) => `require('${specifier}')`)

describe('the package as npm publishes it', () => {
  let consumer: Consumer
  let tarball: Tarball

  beforeAll(() => {
    consumer = new Consumer()
    tarball = consumer.pack()
    consumer.install(tarball.file, pinned('zod'))
  })
  afterAll(() => consumer.remove())

  it('holds the build and the pages, and nothing else', () => {
    const { size, unpackedSize, files } = tarball
    console.log(`${files.length} files, ${Math.round(size / 1024)} KiB packed, ${Math.round(unpackedSize / 1024)} KiB unpacked`)
    const paths = files.map(({ path }) => path)
    const wanted =
      /^(dist\/[\w-]+\.(js|js\.map|d\.ts)|dist\/viewer\/[\w-]+\.(html|css|js)|docs\/[\w-]+\.md|package\.json|README\.md|ARCHITECTURE\.md|LICENSE)$/
    expect(paths.filter((path) => !wanted.test(path))).toEqual([])
    for (const entry of ['index', 'playwright', 'http', 'postgres', 'testing']) expect(paths).toContain(`dist/${entry}.d.ts`)
    expect(paths).toEqual(expect.arrayContaining(['README.md', 'ARCHITECTURE.md', 'LICENSE', 'dist/viewer/index.html']))
  })

  it('has source maps that name the sources by relative paths and hold their text', () => {
    const maps = tarball.files.filter(({ path }) => path.endsWith('.map'))
    expect(maps.length).toBeGreaterThan(0)
    for (const { path } of maps) {
      const { sources, sourcesContent, sourceRoot } = JSON.parse(consumer.read(`node_modules/runwright/${path}`))
      expect(sources.filter((source: string) => !source.startsWith('../src/'))).toEqual([])
      expect(sourcesContent).toHaveLength(sources.length)
      expect(sourceRoot ?? '').toBe('')
    }
  })

  describe('without playwright-core', () => {
    it('loads every entry, by import and by require', () => {
      expect(consumer.node('import.mjs', byImport)).toEqual({ status: 0, output: everythingUsed })
      expect(consumer.node('require.cjs', byRequire)).toEqual({ status: 0, output: everythingUsed })
    })

    it('says which package to install when a browser is asked for', () => {
      const launch = `
        import { PlaywrightDriver } from 'runwright/playwright'
        const spec = { browserSessionId: 'bs_1', browserType: 'chromium', headless: true, viewport: null, launchArgs: [], env: {} }
        const folders = { directory: 'session', downloadsDirectory: 'session/downloads' }
        const driver = new PlaywrightDriver({ executablePath: process.execPath })
        const error = await driver.launch({ ...spec, ...folders }, { timeoutMs: 20_000 }).catch((error) => error)
        console.log(error.code, error.message)`
      const { status, output } = consumer.node('launch.mjs', launch)
      expect(output).toMatch(/^DEPENDENCY_MISSING .*npm install playwright-core/)
      expect(status).toBe(0)
    })
  })

  describe('with playwright-core', () => {
    beforeAll(() => consumer.install(pinned('playwright-core')))

    it('loads every entry, by import and by require', () => {
      expect(consumer.node('import.mjs', byImport)).toEqual({ status: 0, output: everythingUsed })
      expect(consumer.node('require.cjs', byRequire)).toEqual({ status: 0, output: everythingUsed })
    })

    it('has declarations that stand up to a strict project', () => {
      expect(consumer.typecheck('consumer.mts', publicShape)).toEqual({ status: 0, output: '' })
    })
  })
})
