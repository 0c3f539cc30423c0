/**
 * What was typed survives a reload, in this browser only. Fields of passwords are never kept.
 *
 * Where the browser keeps nothing the page works without.
 */
export function keepDrafts(key: string, ids: readonly string[]): void {
  const fields = ids.flatMap((id) => {
    const field = document.getElementById(id)
    return field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement ? [field] : []
  })
  const saved = (readKept(key) ?? {}) as Readonly<Record<string, string | boolean>>
  for (const field of fields) {
    const value = saved[field.id]
    if (isBox(field)) {
      if (typeof value === 'boolean') field.checked = value
    } else if (typeof value === 'string' && field.type !== 'password') field.value = value
    field.addEventListener('input', () => saveDrafts(key, fields))
    field.addEventListener('change', () => saveDrafts(key, fields))
  }
}

type Field = HTMLInputElement | HTMLTextAreaElement

function isBox(field: Field): field is HTMLInputElement {
  return field.type === 'checkbox' || field.type === 'radio'
}

function saveDrafts(key: string, fields: readonly Field[]): void {
  keep(
    key,
    Object.fromEntries(
      fields
        .filter((field) => field.type !== 'password')
        .map((field) => [field.id, isBox(field) ? field.checked : field.value]),
    ),
  )
}

/** JSON under a key of this browser's; `undefined` when there is none that can be read. */
export function readKept(key: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(key) ?? 'null') ?? undefined
  } catch {
    return undefined
  }
}

/** @returns Whether it is kept now. */
export function keep(key: string, value: unknown): boolean {
  try {
    localStorage.setItem(key, JSON.stringify(value))
    return true
  } catch {
    return false
  }
}
