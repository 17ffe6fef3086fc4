import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'

const recordedProcess = z.object({ pid: z.number().int().positive(), startTime: z.string().nullable() })

const displayOwnerSchema = z.object({
  version: z.literal(1),
  hostId: z.string(),
  browserSessionId: z.string(),
  /** Whether it outlives its host, with its session. */
  detached: z.boolean().optional(),
  /** The host process. */
  owner: recordedProcess,
  space: z.object({ machine: z.string(), bootId: z.string().nullable(), pidNamespace: z.string().nullable() }),
  /** Null until the X server has answered. */
  display: z
    .object({
      displayNumber: z.number().int().nonnegative(),
      processes: z.array(recordedProcess),
      /** The X server's own socket, which it leaves behind when it is killed. */
      xSocket: z.object({ path: z.string(), inode: z.number() }).nullable(),
    })
    .nullable(),
})

/** Who made a display's directory, and what runs for it: enough to tell later whether it was left behind. */
export type DisplayOwner = z.infer<typeof displayOwnerSchema>

const ownerPath = (directory: string) => join(directory, 'owner.json')

/** Replaces the directory's owner file in one step. */
export async function writeOwnerFile(directory: string, owner: DisplayOwner): Promise<void> {
  const draft = `${ownerPath(directory)}.new`
  await writeFile(draft, JSON.stringify(owner), { mode: 0o600 })
  await rename(draft, ownerPath(directory))
}

/** The owner of a directory; undefined when the file is missing or not one of ours. */
export async function readOwnerFile(directory: string): Promise<DisplayOwner | undefined> {
  try {
    return displayOwnerSchema.safeParse(JSON.parse(await readFile(ownerPath(directory), 'utf8'))).data
  } catch {
    return undefined // missing, half written by a foreign hand, or gone by now: nothing is known of it
  }
}
