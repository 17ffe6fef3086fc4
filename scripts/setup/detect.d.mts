import type { Found } from './plan.mjs'

export function detect(env?: Readonly<Record<string, string | undefined>>, platform?: string): Found
