// npx tsx examples/site/main.ts [--port 8080] [--delay 150]
import { parseArgs } from 'node:util'
import { EXAMPLE_USER, startExampleSite } from './server.js'

try {
  const site = await startExampleSite(readOptions())
  console.log(`Example site: ${site.origin}  (user "${EXAMPLE_USER.username}", password "${EXAMPLE_USER.password}"; Ctrl+C ends it)`)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => site.close())
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

function readOptions() {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '0' }, delay: { type: 'string', default: '150' } } })
  return { port: wholeNumber('--port', values.port, 65_535), delayMs: wholeNumber('--delay', values.delay, 60_000) }
}

function wholeNumber(option: string, text: string, max: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value <= max) return value
  throw new Error(`${option} takes a whole number up to ${max}, not "${text}"`)
}
