/**
 * Makes a function for `page.evaluate` out of an expression, or the text of a function, that somebody wrote. Playwright calls a function
 * only when it is one, and looks at its text only; an expression may use `await`.
 */
export function sourceFunction(source: string): (argument: unknown) => Promise<unknown> {
  const expression = source.replace(/[\s;]+$/, '')
  // On lines of its own: the source may end with a comment.
  const text = `async (argument) => {\nconst value = (\n${expression}\n);\nreturn typeof value === 'function' ? value(argument) : value\n}`
  return Object.assign(async () => undefined, { toString: () => text })
}
