const commandLine = (commands) => commands.map((command) => command.join(' ')).join(' && ')
const features = (items) => items.map((item) => `  - ${item.what}: ${item.withoutIt}`)

/** Said before anything is installed. */
export function describe(plan) {
  const packages = plan.brings.map((item) => `  - ${item.what}: ${item.why}`)
  return [
    'Runwright set-up: installing what is missing on this machine',
    ...packages,
    `  with: ${commandLine(plan.commands)}`,
    ...plan.notes,
  ].join('\n')
}

/** Said instead of installing. */
export function reportMissing(plan) {
  const lines = ['Runwright set-up: missing on this machine, and off until it is there', ...features(plan.missing)]
  if (plan.commands.length > 0) lines.push(`Not installed: ${plan.reason}. To install it, run:`, `  ${commandLine(plan.commands)}`)
  return [...lines, ...plan.notes].join('\n')
}

/** Said when apt failed, or succeeded without bringing everything. */
export function reportFailure({ plan, result, left }) {
  const lines = result.ok
    ? []
    : [`Runwright set-up: this failed: ${result.command.join(' ')}`, ...result.lines.map((line) => `  | ${line}`)]
  lines.push('Still missing, and off until it is there', ...features(left))
  if (!result.ok) lines.push('To try again by hand, run:', `  ${commandLine(plan.commands)}`)
  return [...lines, ...plan.notes].join('\n')
}
