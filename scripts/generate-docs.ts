// Writes the pages of docs/ that are made from the sources. A test compares them with what is committed.
import { readFileSync, writeFileSync } from 'node:fs'
import { blocksPage } from './docs/blocks-page.js'
import { errorsPage } from './docs/errors-page.js'
import { eventsPage } from './docs/events-page.js'
import { tablesPage } from './docs/tables-page.js'

const docs = new URL('../docs/', import.meta.url)
const pages = {
  'blocks.md': blocksPage(new URL('../src/', import.meta.url)),
  'events.md': eventsPage(),
  'errors.md': errorsPage(new URL('../src/errors/', import.meta.url)),
  'tables.md': tablesPage(new URL('../src/storage/tables/', import.meta.url)),
}

for (const [name, text] of Object.entries(pages)) {
  const isNew = textOf(name) !== text
  if (isNew) writeFileSync(new URL(name, docs), text)
  console.log(`docs/${name}: ${isNew ? 'written' : 'up to date'}`)
}

function textOf(name: string): string | undefined {
  try {
    return readFileSync(new URL(name, docs), 'utf8')
  } catch {
    return undefined // not there yet
  }
}
