import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import { processesNaming } from './leftovers.js'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Runs an example as its reader would; gives what it prints. It ends by itself, says no error and leaves nothing behind. */
export async function runExample(example: string): Promise<string> {
  const temporary = await mkdtemp(join(tmpdir(), 'example-'))
  try {
    await chmod(temporary, 0o711) // a Postgres that root starts runs as `nobody`
    const command = ['scripts/run-example.mjs', `examples/${example}`]
    const env = { ...process.env, TMPDIR: temporary }
    const { stdout, stderr } = await promisify(execFile)(process.execPath, command, { cwd: root, env, timeout: 50_000 })
    expect(stderr).toBe('')
    expect(await readdir(temporary)).toEqual([])
    expect(await processesNaming(temporary)).toEqual([])
    return stdout
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}
