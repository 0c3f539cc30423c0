export interface Table {
  readonly columns: readonly string[]
  /** Cells by column, row by row. */
  readonly rows: ReadonlyArray<Readonly<Record<string, string>>>
}

/** The first table below a heading. */
export function tableBelow(document: string, heading: string): Table {
  const section = document.split(`\n${heading}\n`)[1]?.split(/\n#+ /)[0] ?? ''
  const lines = section.split('\n').filter((line) => line.startsWith('|'))
  const [columns = [], , ...rows] = lines
    .slice(0, section.slice(section.indexOf('|')).split('\n\n')[0]?.split('\n').length)
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    )
  if (rows.length === 0) throw new Error(`there is no table below "${heading}"`)
  return {
    columns,
    rows: rows.map((cells) => Object.fromEntries(columns.map((name, i) => [name, cells[i] ?? '']))),
  }
}
