/** Core code around a memory, and what it imports: a name, its core type, the canonical definition. */
export interface Guest {
  readonly imports?: ReadonlyArray<readonly [name: string, type: string, canon: string]>
  /** Component-level definitions before them. */
  readonly types?: string
  readonly code: string
  /** Component-level definitions after; the core instance is `$m`. */
  readonly exports: string
}

/** What the inside of a component needs to wait; `$mem` is its memory. */
export const WAITING: NonNullable<Guest['imports']> = [
  ['set-new', '(result i32)', 'canon waitable-set.new'],
  ['join', '(param i32 i32)', 'canon waitable.join'],
  ['subtask-drop', '(param i32)', 'canon subtask.drop'],
]

export function guest({ imports = [], types = '', code, exports }: Guest, around = ''): string {
  return `(component ${around}
    (core module $Mem (memory (export "mem") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
    (core instance $mem (instantiate $Mem))
    (alias core export $mem "mem" (core memory $mem))
    (alias core export $mem "realloc" (core func $realloc))
    ${types}
    ${imports.map(([name, , canon]) => `(core func $${name} (${canon}))`).join('\n')}
    (core module $M (import "" "mem" (memory 1))
      ${imports.map(([name, type]) => `(import "" "${name}" (func $${name} ${type}))`).join('\n')}
      ${code})
    (core instance $m (instantiate $M (with "" (instance
      (export "mem" (memory $mem))
      ${imports.map(([name]) => `(export "${name}" (func $${name}))`).join('\n')}))))
    ${exports})`
}

export const callback = (name: string, type: string, options = ''): string =>
  `(func (export "${name}") async ${type}
     (canon lift (core func $m "${name}") async ${options} (callback (core func $m "cb"))))`

export const NO_CALLBACK = '(func (export "cb") (param i32 i32 i32) (result i32) unreachable)'

/** Calls the host's `f` and waits for it, called back with its outcome. */
export const asks = (more: Partial<Guest> = {}): string =>
  guest({
    types: '(import "f" (func $f async (param "x" u32) (result u32)))',
    imports: [
      ...WAITING,
      ['f', '(param i32 i32) (result i32)', 'canon lower (func $f) async (memory $mem)'],
      ['return', '(param i32)', 'canon task.return (result u32)'],
      ['cancel', '(param i32) (result i32)', 'canon subtask.cancel'],
    ],
    code: `(global $set (mut i32) (i32.const 0))
      (func (export "run") (param i32) (result i32) (local $r i32)
        (local.set $r (call $f (local.get 0) (i32.const 64)))
        (if (i32.eq (i32.and (local.get $r) (i32.const 15)) (i32.const 2))
          (then (call $return (i32.load (i32.const 64))) (return (i32.const 0))))
        (global.set $set (call $set-new))
        (call $join (i32.shr_u (local.get $r) (i32.const 4)) (global.get $set))
        (i32.or (i32.const 2) (i32.shl (global.get $set) (i32.const 4))))
      (func (export "cb") (param i32 i32 i32) (result i32)
        ;; An event of a subtask that has returned.
        (if (i32.ne (local.get 0) (i32.const 1)) (then unreachable))
        (if (i32.ne (local.get 2) (i32.const 2)) (then unreachable))
        (call $subtask-drop (local.get 1))
        (call $return (i32.add (i32.load (i32.const 64)) (i32.const 1)))
        (i32.const 0))`,
    exports: callback('run', '(param "x" u32) (result u32)'),
    ...more,
  })

export const later = <T>(value: T): Promise<T> =>
  new Promise((resolve) => setTimeout(() => resolve(value), 2))

/** Built-ins of a stream or future of `u8`, named by what they do. */
export const transfers = (
  kind: 'stream' | 'future',
  options = 'async',
): NonNullable<Guest['imports']> => {
  const params = kind === 'stream' ? '(param i32 i32 i32)' : '(param i32 i32)'
  return [
    ['new', '(result i64)', `canon ${kind}.new $T`],
    ['read', `${params} (result i32)`, `canon ${kind}.read $T ${options} (memory $mem)`],
    ['write', `${params} (result i32)`, `canon ${kind}.write $T ${options} (memory $mem)`],
    ['cancel-read', '(param i32) (result i32)', `canon ${kind}.cancel-read $T`],
    ['drop-readable', '(param i32)', `canon ${kind}.drop-readable $T`],
    ['drop-writable', '(param i32)', `canon ${kind}.drop-writable $T`],
  ]
}
