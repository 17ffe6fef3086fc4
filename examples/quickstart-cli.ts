import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { pipeline } from 'node:stream/promises'
import { closeOnSignals, type RunResult, RunwrightError } from 'runwright'
import { viewerUrl } from 'runwright/http'
import { parseArguments, type QuickstartArguments, usage } from './quickstart/arguments.js'
import { listRuns } from './quickstart/list-runs.js'
import { type LiveViewServer, startLiveViewServer } from './quickstart/live-view-server.js'
import { ProgressPrinter } from './quickstart/progress-printer.js'
import { formatTable } from './quickstart/result-table.js'
import { chooseStorage } from './quickstart/storages.js'
import { collectInvoices, remembersMe } from './quickstart/workflows.js'
import { collect, composeHost } from './quickstart.js'
import { EXAMPLE_USER, startExampleSite } from './site/server.js'

type Host = ReturnType<typeof composeHost>

interface Outcome {
  readonly results: readonly RunResult[]
  /** On the session while the second run held it. */
  readonly third: RunResult
  readonly screenshot: string | null
}

/** The whole quickstart, around the composition in quickstart.ts: site, live view, output, and an end that leaves nothing behind. */
async function main(options: QuickstartArguments): Promise<number> {
  const startedMs = performance.now()
  const printer = new ProgressPrinter({ stream: process.stdout, nowMs: () => performance.now() })
  const interruption = new AbortController()
  const outcome = await withHost(options, printer, interruption, async (host, site, view) => {
    const outcome = await runAll(host, site, view, printer, options)
    printer.end()
    printTable(outcome, printer, performance.now() - startedMs)
    if (options.hold && !interruption.signal.aborted) await untilEnter(interruption)
    return outcome
  })
  if (outcome === null) return 130
  if (options.json) printJson(outcome, printer, performance.now() - startedMs)
  return outcome.results.every(({ status }) => status === 'completed') ? 0 : 1
}

/** Starts everything, does the work, and stops everything, whatever happens. Null when a signal ended it. */
async function withHost(
  options: QuickstartArguments,
  printer: ProgressPrinter,
  interruption: AbortController,
  work: (host: Host, site: string, view: LiveViewServer) => Promise<Outcome>,
): Promise<Outcome | null> {
  const chosen = await chooseStorage(options.storage, options.postgresUrl)
  printer.say(`storage: ${chosen.description}`)
  const host = composeHost(EXAMPLE_USER, chosen.storage)
  for (const source of [host.engine, host.sessions, host.streaming]) source.onAny((event) => printer.onEvent(event))
  const closings: (() => Promise<unknown>)[] = [() => chosen.close()]
  // nobody is to go on with these runs: they are canceled, not handed over
  const ignoreSignals = closeOnSignals(host.engine, { before: (signal) => cancelRuns(host, signal) })
  const onSignal = (signal: NodeJS.Signals) => {
    printer.say(`${signal}: canceling what runs and closing the browser`)
    interruption.abort()
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
    return await work(host, site.origin, view)
  } catch (error) {
    if (!interruption.signal.aborted) throw error
    return null
  } finally {
    printer.end()
    for (const close of closings) await close()
    ignoreSignals()
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}

async function cancelRuns({ engine }: Host, by: string): Promise<void> {
  const open = await engine.listRuns({ status: ['queued', 'running'], includeChildren: true })
  await Promise.all(open.map(({ workflowRunId }) => engine.cancel({ workflowRunId, by })))
}

/** `--list`: earlier runs of the storage, and nothing else. */
async function list(options: QuickstartArguments): Promise<void> {
  const chosen = await chooseStorage(options.storage, options.postgresUrl)
  try {
    process.stdout.write(`${await listRuns(chosen.storage, 'acme')}\n`)
  } finally {
    await chosen.close()
  }
}

async function runAll(
  host: Host,
  site: string,
  view: LiveViewServer,
  printer: ProgressPrinter,
  options: QuickstartArguments,
): Promise<Outcome> {
  let sessionId = ''
  printer.beginRun(collectInvoices)
  const first = await collect(host, site, async (browserSessionId) => {
    sessionId = browserSessionId
    printer.say(await liveViewLine(host, view, browserSessionId, options.hold))
  })
  printer.say('the same session again, and a third run at the same time')
  printer.beginRun(remembersMe)
  const { workflowPermanentId } = await host.engine.createWorkflow({ title: 'Remembers me', definition: remembersMe })
  const request = { workflowPermanentId, parameters: { site }, browserSessionId: sessionId }
  const second = await host.engine.startRun(request)
  await occupied(host, second.workflowRunId)
  const third = await host.engine.startRun({ ...request, ...(options.wait ? { wait: { timeoutMs: 60_000 } } : {}) })
  const ended = { second: await second.result(), third: await third.result() }
  const results = [first, ended.second, ...(options.wait ? [ended.third] : [])] // without it, the third is to be refused
  return { results, third: ended.third, screenshot: await savePicture(host, first, options.screenshot) }
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

/** Writes the first picture that a run took to a file; null when it took none. */
async function savePicture(host: Host, { screenshotArtifactIds: [artifactId] }: RunResult, path: string): Promise<string | null> {
  if (artifactId === undefined) return null
  const file = resolve(path)
  await mkdir(dirname(file), { recursive: true })
  const { body } = await host.engine.readArtifact({ artifactId })
  await pipeline(body, createWriteStream(file))
  return file
}

function printTable({ results, third, screenshot }: Outcome, printer: ProgressPrinter, totalMs: number): void {
  const [first, second] = results
  const summary = first?.outputs.sum_up_output as { count: number; total: number; open: number; largest: string } | null | undefined
  const money = (amount: number) => amount.toLocaleString('en-US', { minimumFractionDigits: 2 })
  const remembered = second?.outputs.remembered_output as { user?: string } | null | undefined
  const rows: [string, string][] = [
    ['first run', describeRun(first)],
    ['invoices', summary ? `${summary.count}, of which ${summary.open} open` : '–'],
    ['total', summary ? `${money(summary.total)} €` : '–'],
    ['largest', summary ? summary.largest : '–'],
    ...(first?.downloadedFiles ?? []).map(({ filename, size }): [string, string] => ['downloaded', `${filename} (${size} bytes)`]),
    ['second run', describeRun(second)],
    ['the session still knows', remembered?.user ?? 'nobody'],
    ['third run', third.errorCode === null ? `waited; ${describeRun(third)}` : `refused with ${third.errorCode}. ${third.failureReason}`],
    ['picture', screenshot ?? '–'],
    ['events', String(printer.count)],
    ['time', `${(totalMs / 1_000).toFixed(1)} s`],
  ]
  process.stdout.write(`\n${formatTable(['what', 'result'], rows)}\n`)
}

const describeRun = (run: RunResult | undefined) =>
  run === undefined
    ? '–'
    : `${run.status} in ${run.durationSeconds.toFixed(1)} s${run.failureReason === null ? '' : `: ${run.failureReason}`}`

/** The results as one object: the last line of the output. */
function printJson({ results, third, screenshot }: Outcome, printer: ProgressPrinter, totalMs: number): void {
  const [first, second] = results
  const milliseconds = (run: RunResult | undefined) => Math.round((run?.durationSeconds ?? 0) * 1_000)
  const object = {
    status: results.find(({ status }) => status !== 'completed')?.status ?? 'completed',
    outputs: Object.assign({}, ...results.map(({ outputs }) => outputs)),
    // what it waited for, it got
    ...(third.errorCode === null
      ? { waited: { status: third.status } }
      : { refused: { errorCode: third.errorCode, failureReason: third.failureReason } }),
    events: printer.count,
    durationsMs: { first: milliseconds(first), second: milliseconds(second), third: milliseconds(third), total: Math.round(totalMs) },
    screenshot,
  }
  process.stdout.write(`${JSON.stringify(object)}\n`)
}

/** Resolves at Enter, at the end of the input, and at Ctrl-C. */
async function untilEnter(interruption: AbortController): Promise<void> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  terminal.once('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  try {
    const question = terminal.question('The live view stays open; press Enter to end. ', { signal: interruption.signal })
    await Promise.race([question, new Promise((resolve) => terminal.once('close', resolve))])
  } catch (error) {
    if (!interruption.signal.aborted) throw error
  } finally {
    terminal.close()
  }
}

try {
  const options = parseArguments(process.argv.slice(2))
  if (options.help) process.stdout.write(`${usage}\n`)
  else if (options.list) await list(options)
  else process.exitCode = await main(options)
} catch (error) {
  process.stderr.write(
    `${error instanceof RunwrightError ? `${error.code}: ${error.message}` : error instanceof Error ? error.message : error}\n`,
  )
  process.exitCode = 1
}
