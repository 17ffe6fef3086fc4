import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'

const MEMO_FILE = 'session.json'

/**
 * What an adopting host has to know of a detached session beside its row. In the session's own folder, for its user's eyes only: extra
 * headers may be secrets.
 */
const memoSchema = z.object({
  version: z.literal(1),
  headless: z.boolean(),
  private: z.boolean(),
  /** As it was asked for: detached ones are attachable in any case. */
  attachable: z.boolean().default(false),
  extensions: z.array(z.string()).default([]),
  extraHttpHeaders: z.record(z.string(), z.string()).optional(),
  locale: z.string().optional(),
  timezoneId: z.string().optional(),
  keepState: z.enum(['none', 'snapshot', 'directory']).optional(),
  record: z.object({ video: z.boolean(), trace: z.boolean(), har: z.boolean(), consoleLog: z.boolean() }).optional(),
  onBrowserLost: z.enum(['fail', 'relaunch']).default('fail'),
})

export type SessionMemo = z.output<typeof memoSchema>

/** @param request - what its browser is started with; anything else in it is left out */
export async function writeSessionMemo(directory: string, request: object): Promise<void> {
  const memo = memoSchema.parse({ ...request, version: 1 })
  await writeFile(join(directory, MEMO_FILE), JSON.stringify(memo), { mode: 0o600 })
}

/** Where it cannot be read, the session goes on with what its row says. */
export async function readSessionMemo(directory: string, isPrivate: boolean): Promise<SessionMemo> {
  const text = await readFile(join(directory, MEMO_FILE), 'utf8').catch(() => '{}') // a host that died while it was written
  const found = memoSchema.safeParse(tryParse(text))
  return found.data ?? { version: 1, headless: true, private: isPrivate, attachable: false, extensions: [], onBrowserLost: 'fail' }
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}
