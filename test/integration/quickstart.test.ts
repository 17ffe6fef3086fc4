import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { detect } from '../../scripts/setup/detect.mjs'
import { descendants, listeningPorts, processesNaming } from '../support/leftovers.js'
import { describeUnless, missing } from '../support/skips.js'

const root = fileURLToPath(new URL('../../', import.meta.url))

interface Ended {
  readonly code: number | null
  readonly output: string
  readonly errors: string
}

/** The quickstart as its npm script runs it, after set-up and build. */
function startQuickstart(
  folder: string,
  args: readonly string[],
  env: Record<string, string> = {},
): { child: ChildProcess; ended: Promise<Ended>; said: (text: string) => Promise<void> } {
  const command = [join(root, 'scripts/run-example.mjs'), join(root, 'examples/quickstart-cli.ts'), ...args]
  const child = spawn(process.execPath, command, { cwd: folder, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let errors = ''
  const waiting: { text: string; resolve: () => void }[] = []
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk
    for (const { text, resolve } of waiting) if (output.includes(text)) resolve()
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    errors += chunk
  })
  const ended = new Promise<Ended>((resolve) => child.once('close', (code) => resolve({ code, output, errors })))
  const said = (text: string) =>
    Promise.race([
      new Promise<void>((resolve) => (output.includes(text) ? resolve() : waiting.push({ text, resolve }))),
      ended.then(({ code }) => Promise.reject(new Error(`ended with ${code} before it said "${text}":\n${output}\n${errors}`))),
    ])
  return { child, ended, said }
}

describeUnless(missing('chromium', 'tigervnc'), 'the quickstart', () => {
  let folder: string
  let temporary: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'quickstart-test-'))
    temporary = join(folder, 't') // short: sockets lie below it
    await mkdir(temporary)
  })
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true })
  })

  it('does the main job, prints the results as one object, and leaves nothing behind', async () => {
    const screenshot = join(folder, 'page.png')
    const { child, ended, said } = startQuickstart(folder, ['--storage', 'memory', '--json', '--screenshot', screenshot], {
      TMPDIR: temporary,
    })
    await said('live view (opens once): http://127.0.0.1:')
    await said('run.started')
    expect(await listeningPorts(child.pid ?? 0), 'live view and example site').toHaveLength(2)
    const browsers = await descendants(child.pid ?? 0)
    for (const { pid, command } of browsers) expect(await listeningPorts(pid), command).toEqual([])
    expect(browsers.length).toBeGreaterThan(5)
    const { code, output, errors } = await ended

    expect(errors).toBe('')
    const result = JSON.parse(output.trimEnd().split('\n').at(-1) ?? '')
    expect(result).toMatchObject({ status: 'completed', screenshot })
    expect(result.outputs.sum_up_output).toEqual({ count: 24, total: 42_666.1, open: 9, largest: expect.stringMatching(/^INV-/) })
    expect(result.outputs.remembered_output).toEqual({ user: 'ada' })
    expect(result.outputs.download_largest_output.downloadedFiles).toMatchObject([{ filename: 'largest-invoice.pdf' }])
    expect(result.refused).toMatchObject({
      errorCode: 'SESSION_OCCUPIED',
      failureReason: expect.stringMatching(/is occupied by workflow_run wr_/),
    })
    expect(result.events).toBe(
      output.split('\n').filter((line) => /^ *\d+\.\d\d s {2}(run|block|action|session|display|stream|artifact|workflow)\./.test(line))
        .length,
    )
    expect(code).toBe(0)
    expect(output).not.toContain('correct horse battery')
    expect((await readFile(screenshot)).subarray(1, 4).toString()).toBe('PNG')

    expect(await readdir(temporary)).toEqual([])
    for (const { pid, command } of browsers) expect(await isAlive(pid, command), command).toBe(false)
  })

  it('lets the third run wait for the session when it is told to', async () => {
    const args = ['--storage', 'memory', '--json', '--wait', '--screenshot', join(folder, 'page.png')]
    const { code, output, errors } = await startQuickstart(folder, args, { TMPDIR: temporary }).ended
    expect(errors).toBe('')
    const result = JSON.parse(output.trimEnd().split('\n').at(-1) ?? '')
    expect(result).toMatchObject({ status: 'completed', waited: { status: 'completed' } })
    expect(result.durationsMs.third).toBeGreaterThan(0)
    expect(output).toMatch(/third run +│ waited; completed in/)
    expect(code).toBe(0)
    expect(await readdir(temporary)).toEqual([])
  })

  it('keeps its runs: a later start on the same folder lists them', async () => {
    const { code, output } = await startQuickstart(folder, [], { TMPDIR: temporary }).ended
    expect(output).toContain('storage: PGlite in .quickstart/data')
    expect(code).toBe(0)
    const list = await startQuickstart(folder, ['--list'], { TMPDIR: temporary }).ended
    expect(list.output.match(/Collect invoices │ completed/g)).toHaveLength(1)
    expect(list.output).toMatch(/Remembers me +│ failed: SESSION_OCCUPIED/)
    expect(await readdir(temporary)).toEqual([])
  })

  it('ends cleanly on SIGINT in mid-run: the run is canceled, nothing is left', async () => {
    const { child, ended, said } = startQuickstart(folder, ['--storage', 'memory', '--screenshot', join(folder, 'page.png')], {
      TMPDIR: temporary,
    })
    await said('block.completed    table_is_there')
    const browsers = await descendants(child.pid ?? 0)
    child.kill('SIGINT')
    const { code, output } = await ended
    expect(output).toMatch(/run\.canceled +Collect invoices {2}canceled by SIGINT/)
    expect(output).toContain('session.closed')
    expect(code).not.toBe(0)
    expect(await readdir(temporary)).toEqual([])
    for (const { pid, command } of browsers) expect(await isAlive(pid, command), command).toBe(false)
  })

  it('says which port is in use', async () => {
    const server = createServer()
    const port = await new Promise<number>((resolve) =>
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
    )
    const { code, errors } = await startQuickstart(folder, ['--storage', 'memory', '--port', String(port)], { TMPDIR: temporary }).ended
    server.close()
    expect(code).toBe(1)
    expect(errors).toContain(`Port ${port} is in use`)
    expect(await readdir(temporary)).toEqual([])
  })

  it('names the package when Chromium is not there', async () => {
    const { code, errors } = await startQuickstart(folder, ['--storage', 'memory'], { PATH: folder, RUNWRIGHT_CHROMIUM: '' }).ended
    expect(code).toBe(1)
    expect(errors).toMatch(/BROWSER_NOT_FOUND/)
    expect(errors).toMatch(/apt-get install .*chromium/)
  })

  it('goes on headless, and says that the live view is unavailable, when no display program is there', async () => {
    await symlink(detect().chromium ?? '', join(folder, 'chromium'))
    const { code, output } = await startQuickstart(folder, ['--storage', 'memory', '--json', '--screenshot', join(folder, 'page.png')], {
      PATH: `${folder}`,
    }).ended
    expect(output).toMatch(/live view: unavailable\..*tigervnc-standalone-server/)
    expect(output).toContain('display.degraded')
    expect(JSON.parse(output.trimEnd().split('\n').at(-1) ?? '').status).toBe('completed')
    expect(code).toBe(0)
  })
})

async function isAlive(pid: number, command: string): Promise<boolean> {
  return (await processesNaming(command)).some((process) => process.pid === pid)
}

it('keeps the folder of pictures out of the repository', async () => {
  expect(await readFile(join(root, '.gitignore'), 'utf8')).toContain('.quickstart/')
  expect((await readdir(root)).includes('page.png')).toBe(false)
})
