import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { closeOnSignals, type RunResult, RunwrightError } from 'runwright'
import { viewerUrl } from 'runwright/http'
import { parseArguments, type QuickstartArguments, usage } from './quickstart/arguments.js'
import { type LiveViewServer, startLiveViewServer } from './quickstart/live-view-server.js'
import { ProgressPrinter } from './quickstart/progress-printer.js'
import { formatTable } from './quickstart/result-table.js'
import { collectInvoices, remembersMe } from './quickstart/workflows.js'
import { collect, composeHost } from './quickstart.js'
import { EXAMPLE_USER, startExampleSite } from './site/server.js'

type Host = ReturnType<typeof composeHost>

interface Outcome {
  readonly results: readonly RunResult[]
  readonly refused: RunResult
  readonly screenshot: string | null
}

/** The whole quickstart, around the composition in quickstart.ts: site, live view, output, and an end that leaves nothing behind. */
async function main(options: QuickstartArguments): Promise<number> {
  const startedMs = performance.now()
  const printer = new ProgressPrinter({ stream: process.stdout, nowMs: () => performance.now() })
  const host = composeHost(EXAMPLE_USER)
  for (const source of [host.engine, host.sessions, host.streaming]) source.onAny((event) => printer.onEvent(event))
  const closings: (() => Promise<unknown>)[] = [() => host.storage.close()]
  let interrupted: NodeJS.Signals | null = null
  const off = closeOnSignals(host.engine, { onClosed: () => {} })
  const onSignal = (signal: NodeJS.Signals) => {
    interrupted ??= signal
    printer.say(`${signal}: canceling what runs and closing the browser`)
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  try {
    const view = await startLiveViewServer(host.streaming, options.port)
    closings.unshift(() => view.close())
    const site = await startExampleSite()
    closings.unshift(() => site.close())
    printer.say(`example site at ${site.origin}`)
    await host.engine.start()
    closings.unshift(() => host.engine.stop())
    const outcome = await runAll(host, site.origin, view, printer, options)
    printer.end()
    report(outcome, printer, options, performance.now() - startedMs)
    if (options.hold && interrupted === null) await untilEnter()
    return interrupted === null && outcome.results.every(({ status }) => status === 'completed') ? 0 : 1
  } catch (error) {
    if (interrupted === null) throw error
    return 130
  } finally {
    printer.end()
    for (const close of closings) await close()
    off()
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}

async function runAll(
  host: Host,
  site: string,
  view: LiveViewServer,
  printer: ProgressPrinter,
  options: QuickstartArguments,
): Promise<Outcome> {
  const picture = takePictureAtWork(host, options.screenshot)
  let sessionId = ''
  printer.beginRun(collectInvoices)
  const first = await collect(host, site, async (browserSessionId) => {
    sessionId = browserSessionId
    picture.watch(browserSessionId)
    printer.say(await liveViewLine(host, view, browserSessionId, options.hold))
  })
  printer.say('the same session again, and a third run at the same time')
  printer.beginRun(remembersMe)
  const { workflowPermanentId } = await host.engine.createWorkflow({ title: 'Remembers me', definition: remembersMe })
  const request = { workflowPermanentId, parameters: { site }, browserSessionId: sessionId }
  const second = await host.engine.startRun(request)
  await occupied(host, second.workflowRunId)
  const third = await host.engine.startRun(request)
  const refused = await third.result()
  return { results: [first, await second.result()], refused, screenshot: await picture.file() }
}

/** Resolves when the run holds its session. */
async function occupied(host: Host, workflowRunId: string): Promise<void> {
  for await (const event of host.engine.events({ workflowRunId })) if (event.type === 'block.started') return
}

async function liveViewLine(host: Host, view: LiveViewServer, browserSessionId: string, isLong: boolean): Promise<string> {
  try {
    const { token } = await host.streaming.issueToken({ browserSessionId, scope: 'view', ttlMs: isLong ? 3_600_000 : 120_000 })
    return `live view (opens once): ${viewerUrl({ origin: view.origin, browserSessionId, token })}`
  } catch (error) {
    if (error instanceof RunwrightError && error.code === 'STREAM_UNAVAILABLE') return `live view: unavailable. ${error.message}`
    throw error
  }
}

/** Takes one picture of the page while the first run reads the table. */
function takePictureAtWork(host: Host, path: string) {
  const file = resolve(path)
  let written: Promise<string | null> = Promise.resolve(null)
  let isTaken = false
  const watch = (browserSessionId: string) => {
    host.engine.on('block.completed', ({ label }) => {
      if (label !== 'table_is_there' || isTaken) return
      isTaken = true
      written = host.streaming.screenshot({ browserSessionId, format: 'png' }).then(async (picture) => {
        await mkdir(dirname(file), { recursive: true })
        await writeFile(file, picture.data)
        return file
      })
    })
  }
  return { watch, file: () => written }
}

function report({ results, refused, screenshot }: Outcome, printer: ProgressPrinter, options: QuickstartArguments, totalMs: number): void {
  const [first, second] = results
  const summary = first?.outputs.sum_up_output as { count: number; total: number; open: number; largest: string } | null | undefined
  const money = (amount: number) => amount.toLocaleString('en-US', { minimumFractionDigits: 2 })
  const rows: [string, string][] = [
    ['first run', `${first?.status} in ${first?.durationSeconds.toFixed(1)} s${first?.failureReason ? `: ${first.failureReason}` : ''}`],
    ['invoices', summary ? `${summary.count}, of which ${summary.open} open` : '–'],
    ['total', summary ? `${money(summary.total)} €` : '–'],
    ['largest', summary ? summary.largest : '–'],
    ...(first?.downloadedFiles ?? []).map(({ filename, size }): [string, string] => ['downloaded', `${filename} (${size} bytes)`]),
    [
      'second run',
      `${second?.status}: the session still knows ${JSON.stringify((second?.outputs.remembered_output as { user?: string } | null)?.user)}`,
    ],
    ['third run', `refused with ${refused.errorCode}. ${refused.failureReason}`],
    ['picture', screenshot ?? '–'],
    ['events', String(printer.count)],
    ['time', `${(totalMs / 1_000).toFixed(1)} s`],
  ]
  process.stdout.write(`\n${formatTable(['what', 'result'], rows)}\n`)
  if (!options.json) return
  const durationsMs = Object.fromEntries(
    [...results, refused].map((result, index) => [['first', 'second', 'refused'][index], Math.round(result.durationSeconds * 1_000)]),
  )
  const statuses = results.map(({ status }) => status)
  process.stdout.write(
    `${JSON.stringify({
      status: statuses.every((status) => status === 'completed') ? 'completed' : statuses.find((status) => status !== 'completed'),
      outputs: Object.assign({}, ...results.map(({ outputs }) => outputs)),
      refused: { errorCode: refused.errorCode, failureReason: refused.failureReason },
      events: printer.count,
      durationsMs: { ...durationsMs, total: Math.round(totalMs) },
      screenshot,
    })}\n`,
  )
}

async function untilEnter(): Promise<void> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  await terminal.question('The live view stays open; press Enter to end. ').catch(() => '') // closed input ends it too
  terminal.close()
}

try {
  const options = parseArguments(process.argv.slice(2))
  if (options.help) process.stdout.write(`${usage}\n`)
  else process.exitCode = await main(options)
} catch (error) {
  process.stderr.write(
    `${error instanceof RunwrightError ? `${error.code}: ${error.message}` : error instanceof Error ? error.message : error}\n`,
  )
  process.exitCode = 1
}
