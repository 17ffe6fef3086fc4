import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'

const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8')

it('docs/writing-a-storage.md shows parts of the example, to the letter', async () => {
  const page = await read('docs/writing-a-storage.md')
  const blocks = [...page.matchAll(/<!-- part of (\S+) -->\n```ts\n([\s\S]*?)```/g)]
  expect(blocks.length).toBeGreaterThan(8)
  expect([...page.matchAll(/```ts\n/g)]).toHaveLength(blocks.length)
  for (const [, path = '', code = ''] of blocks) expect(await read(path)).toContain(code)
})

it('links in the pages about storage lead somewhere', async () => {
  for (const name of ['storage.md', 'writing-a-storage.md']) {
    const links = [...(await read(`docs/${name}`)).matchAll(/\]\(([^)#]+)\)/g)].map(([, target]) => target ?? '')
    for (const target of links) await expect(read(`docs/${target}`), `${name}: ${target}`).resolves.toBeDefined()
  }
})
