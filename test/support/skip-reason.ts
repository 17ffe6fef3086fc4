const mark = / \[skipped: (.+?)\]/

/** The test runner keeps no reason of a conditional skip, so it goes into the name. */
export function nameWithReason(name: string, reason: string): string {
  return `${name} [skipped: ${reason.replace(/[\s\]]+/g, ' ')}]`
}

/** The reason that `nameWithReason` put into a test's full name. */
export function reasonInName(fullName: string): string | undefined {
  return mark.exec(fullName)?.[1]
}

/** The full name as it was before. */
export function withoutReason(fullName: string): string {
  return fullName.replace(mark, '')
}
