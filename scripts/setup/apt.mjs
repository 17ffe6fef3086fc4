import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { aptCommand } from './plan.mjs'

const lockWaitMs = 120_000
const keptLines = 12

/** Installs packages with apt-get. @returns `{ ok: true, lines }`, or `{ ok: false, command, lines }`, with the last lines that apt wrote. */
export async function installPackages({ packages, installer, progress, lockRetryMs = 2_000 }) {
  const runApt = (arguments_) => runAptWhenFree({ arguments_, installer, progress, lockRetryMs })
  const install = ['install', '--no-install-recommends', ...packages]
  if (installer.hasPackageLists) {
    const installed = await runApt(install)
    if (installed.ok || !listsAreOld(installed.lines)) return installed
    progress.say('The package lists are old; fetching new ones.')
  }
  const updated = await runApt(['update'])
  if (!updated.ok) return updated
  const installed = await runApt(install)
  // `apt-get update` succeeds also when it reached no server; what it wrote then explains why the package is unknown.
  return installed.ok ? installed : { ...installed, lines: [...updated.lines.filter(isComplaint), ...installed.lines] }
}

const isComplaint = (line) => /^(W|E|Err)[: ]/.test(line)

/** DPkg::Lock::Timeout waits for dpkg's lock only; those of the lists and the archives are waited for here. */
async function runAptWhenFree({ arguments_, installer, progress, lockRetryMs }) {
  const command = aptCommand(arguments_, installer)
  const giveUpAt = Date.now() + lockWaitMs
  for (let attempt = 1; ; attempt += 1) {
    const { status, lines } = await run(command, progress)
    if (status === 0) return { ok: true, lines }
    const isLocked = lines.some((line) => /could not get lock|unable to lock|unable to acquire/i.test(line))
    if (!isLocked || Date.now() >= giveUpAt) return { ok: false, command, lines }
    if (attempt === 1) progress.say('Another apt is at work; waiting for it.')
    await sleep(lockRetryMs)
  }
}

function run([program, ...arguments_], progress) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' }
  const child = spawn(program, arguments_, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const lines = []
  const take = (line) => {
    const step = progressOf(line)
    if (step) progress.step(step)
    else if (line.trim() !== '') {
      lines.push(line)
      if (lines.length > keptLines) lines.splice(0, lines.length - keptLines)
    }
  }
  byLine(child.stdout, take)
  byLine(child.stderr, take)
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ status: 127, lines: [error.message] }))
    child.once('close', (code, signal) => resolve({ status: code ?? signal, lines }))
  })
}

function byLine(stream, take) {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (chunk) => {
    const parts = (rest + chunk).split(/[\r\n]+/)
    rest = parts.pop()
    for (const part of parts) take(part)
  })
  stream.on('end', () => rest && take(rest))
}

/** A line of apt about a lock, or of APT::Status-Fd: `dlstatus:<n>:<percent>:<text>` or `pmstatus:<package>:<percent>:<text>`. */
export function progressOf(line) {
  if (line.startsWith('Waiting for cache lock')) return { phase: 'waiting', text: 'another apt is at work' }
  const match = /^(dlstatus|pmstatus):([^:]*(?::(?!\d)[^:]*)?):([\d.]+):(.*)$/.exec(line)
  if (!match) return undefined
  return { phase: match[1] === 'dlstatus' ? 'download' : 'install', percent: Math.floor(Number(match[3])), text: match[4] }
}

/** apt says this when a list names a version that the mirror has replaced, or when the package is unknown to it. */
export function listsAreOld(lines) {
  return lines.some((line) =>
    /404 +Not Found|Unable to locate package|has no installation candidate|Unable to fetch some archives/i.test(line),
  )
}
