import { expect, it } from 'vitest'
import { code, handlers, runRow, startHost } from './kit.js'

it('a private browser is launched with the headers and the proxy of its run, or else of its workflow', async () => {
  const names: string[] = []
  const proxies = {
    get: async (name: string) => {
      names.push(name)
      return { server: `http://${name}.test:3128` }
    },
  }
  const touch = ({ page }: { page: { goto(url: string): Promise<unknown> } }) => page.goto('https://example.com').then(() => null)
  const { run, driver, memory } = await startHost({
    pool: { proxies } as never,
    engine: { handlers: { ...handlers, touch: touch as never } },
  })
  const definition = { blocks: [code('a', 'touch')] }
  const workflow = { proxyLocation: 'home', extraHttpHeaders: { 'x-of': 'the workflow' } }
  const inherited = await run(definition, { workflow })
  await run(definition, { workflow, proxyLocation: 'away', extraHttpHeaders: { 'x-of': 'the run' } })
  await run(definition, { workflow, proxyLocation: null, extraHttpHeaders: null })
  expect(await runRow(memory, inherited.workflowRunId)).toMatchObject(workflow)
  expect(names).toEqual(['home', 'away'])
  expect(driver.specs.map(({ extraHttpHeaders }) => extraHttpHeaders)).toEqual([
    { 'x-of': 'the workflow' },
    { 'x-of': 'the run' },
    undefined,
  ])
  expect(driver.specs.map(({ proxy }) => proxy?.server)).toEqual(['http://home.test:3128', 'http://away.test:3128', undefined])
})
