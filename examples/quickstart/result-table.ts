/** Rows of text as a table with a header line; cells past `maxWidth` characters go on in the next line. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[], maxWidth = 84): string {
  const lines = rows.flatMap((row) => wrapRow(row, maxWidth))
  const widths = header.map((title, column) => Math.max(title.length, ...lines.map((row) => (row[column] ?? '').length)))
  const line = (cells: readonly string[]) => `│ ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' │ ')} │`
  const rule = (left: string, middle: string, right: string) => left + widths.map((width) => '─'.repeat(width + 2)).join(middle) + right
  return [rule('┌', '┬', '┐'), line(header), rule('├', '┼', '┤'), ...lines.map(line), rule('└', '┴', '┘')].join('\n')
}

function wrapRow(row: readonly string[], maxWidth: number): string[][] {
  const cells = row.map((cell) => wrap(cell, maxWidth))
  const height = Math.max(...cells.map((cell) => cell.length))
  return Array.from({ length: height }, (_, index) => cells.map((cell) => cell[index] ?? ''))
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let rest = text
  while (rest.length > width) {
    const blank = rest.lastIndexOf(' ', width)
    const end = blank > 0 ? blank : width
    lines.push(rest.slice(0, end))
    rest = rest.slice(end).trimStart()
  }
  return [...lines, rest]
}
