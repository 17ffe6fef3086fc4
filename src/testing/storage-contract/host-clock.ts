/**
 * Lets this process's clock go ahead while some work is done: what a host with a wrong clock sees. Dates that are made from given values
 * stay what they are.
 */
export async function withHostClockAhead<T>(byMs: number, work: () => Promise<T>): Promise<T> {
  const trueDate = globalThis.Date
  const nowMs = () => trueDate.now() + byMs
  globalThis.Date = new Proxy(trueDate, {
    construct: (target, given, newTarget) => Reflect.construct(target, given.length === 0 ? [nowMs()] : given, newTarget),
    apply: (target) => String(Reflect.construct(target, [nowMs()])),
    get: (target, name) => (name === 'now' ? nowMs : Reflect.get(target, name)),
  })
  try {
    return await work()
  } finally {
    globalThis.Date = trueDate
  }
}
