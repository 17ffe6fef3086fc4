import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'

const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8')

it("shows examples/quickstart.ts, to the letter, as the README's first TypeScript block", async () => {
  const block = /```ts\n([\s\S]*?)```/.exec(await read('README.md'))?.[1]
  expect(block).toBe(await read('examples/quickstart.ts'))
})

it('keeps the composition within 40 lines', async () => {
  expect((await read('examples/quickstart.ts')).trimEnd().split('\n').length).toBeLessThanOrEqual(40)
})

it('shows examples in docs/ to the letter', async () => {
  const page = await read('docs/getting-started.md')
  const blocks = [...page.matchAll(/<!-- (examples\/\S+) -->\n```ts\n([\s\S]*?)```/g)]
  expect(blocks.map(([, path]) => path)).toEqual(['examples/first-workflow.ts'])
  for (const [, path = '', code] of blocks) expect(code, path).toBe(await read(path))
})
