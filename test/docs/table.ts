export interface Table {
  readonly columns: readonly string[]
  /** Cells by column, row by row. */
  readonly rows: ReadonlyArray<Readonly<Record<string, string>>>
}

/** The first table below a heading. */
export function tableBelow(document: string, heading: string): Table {
  const section = document.split(`\n${heading}\n`)[1]?.split(/\n#+ /)[0] ?? ''
  return readTable(section, `below "${heading}"`)
}

/** The table whose first column is called so. */
export function tableOf(document: string, column: string): Table {
  const at = document.search(new RegExp(`^\\| ${column} +\\|`, 'm'))
  return readTable(at < 0 ? '' : document.slice(at), `with the column "${column}"`)
}

function readTable(text: string, which: string): Table {
  const lines = (/(?:^\|.*\n)+/m.exec(text)?.[0] ?? '').trim().split('\n')
  const [columns = [], , ...rows] = lines.map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  )
  if (rows.length === 0) throw new Error(`there is no table ${which}`)
  return {
    columns,
    rows: rows.map((cells) => Object.fromEntries(columns.map((name, i) => [name, cells[i] ?? '']))),
  }
}
