import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'

// Runs one server below the process that started this one, and ends it when that one is gone, however it went: its end of stdin closes
// then. Arguments: JSON of { command, args, uid, gid, folder }; "remove" on stdin takes the folder away as well.
const { command, args, uid, gid, folder } = JSON.parse(process.argv[2])
const server = spawn(command, args, {
  uid,
  gid,
  cwd: folder,
  stdio: ['ignore', 'ignore', 'inherit'],
  env: { PATH: process.env.PATH, LC_ALL: 'C' },
})
let isOrphan = true

process.stdin.on('data', (data) => {
  if (data.toString().includes('leave')) isOrphan = false
})
process.stdin.on('end', () => {
  server.kill('SIGQUIT') // "immediate shutdown": its children end with it
})
server.on('exit', () => {
  if (process.stdin.readableEnded && isOrphan) rmSync(folder, { recursive: true, force: true })
  process.exit(0)
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {}) // stdin decides
process.stdout.write(`${server.pid}\n`)
