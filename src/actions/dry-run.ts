import type { ActionType } from '../definition/index.js'

/** The types after which a page is what it was before. */
const READING: ReadonlySet<ActionType> = new Set(['screenshot', 'extract', 'assert'])

/** What cannot be told of a page on which the steps before were only checked: its element may come with them. */
const OPEN_CODES: ReadonlySet<string> = new Set(['TARGET_NOT_FOUND', 'TARGET_AMBIGUOUS', 'TARGET_NOT_ACTIONABLE', 'NO_PAGE'])

/** How long a dry run looks for an element that earlier steps may have to bring, in milliseconds. */
export const LATER_LOOK_MS = 2_000

/** Whether an action of this type leaves the page as it is. Pure. */
export const leavesPageAsIs = (type: ActionType): boolean => READING.has(type)

/** Whether this failure of a check may be due to the steps before it, which were only checked. Pure. */
export const isInconclusive = (code: string): boolean => OPEN_CODES.has(code)
