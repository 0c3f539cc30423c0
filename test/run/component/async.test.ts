import { parse } from '@bytecodealliance/jco-transpile/wasm-tools'
import { describe, expect, it, vi } from 'vitest'
import { compileComponent } from '../../../src/run/component/compile.ts'
import {
  createHostFuture,
  createHostStream,
  readFuture,
  readItems,
} from '../../../src/run/component/host-transfer.ts'
import {
  instantiateComponent,
  type ComponentInstance,
} from '../../../src/run/component/instantiate.ts'
import type { HostInterface } from '../../../src/run/component/items.ts'
import { hasJspi } from '../../../src/run/component/jspi.ts'
import { parseComponent } from '../../../src/run/component/parse.ts'
import { dropResource, type GuestResource } from '../../../src/run/component/resource.ts'
import type { Copy, Readable } from '../../../src/run/component/transfer.ts'
import { CANT_WAIT } from '../waiting.ts'

async function start(
  wat: string,
  functions: HostInterface['functions'] = {},
  jspi = false,
): Promise<ComponentInstance> {
  const compiled = await compileComponent(parseComponent(await parse(wat)))
  return instantiateComponent(compiled, { jspi, imports: () => ({ functions }) })
}

/** Core code around a memory, and what it imports: a name, its core type, the canonical definition. */
interface Guest {
  readonly imports?: ReadonlyArray<readonly [name: string, type: string, canon: string]>
  /** Component-level definitions before them. */
  readonly types?: string
  readonly code: string
  /** Component-level definitions after; the core instance is `$m`. */
  readonly exports: string
}

/** What the inside of a component needs to wait; `$mem` is its memory. */
const WAITING: Guest['imports'] = [
  ['set-new', '(result i32)', 'canon waitable-set.new'],
  ['join', '(param i32 i32)', 'canon waitable.join'],
  ['subtask-drop', '(param i32)', 'canon subtask.drop'],
]

function guest({ imports = [], types = '', code, exports }: Guest, around = ''): string {
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

const callback = (name: string, type: string, options = ''): string =>
  `(func (export "${name}") async ${type}
     (canon lift (core func $m "${name}") async ${options} (callback (core func $m "cb"))))`

const NO_CALLBACK = '(func (export "cb") (param i32 i32 i32) (result i32) unreachable)'

/** Calls the host's `f` and waits for it, called back with its outcome. */
const asks = (more: Partial<Guest> = {}): string =>
  guest({
    types: '(import "f" (func $f async (param "x" u32) (result u32)))',
    imports: [
      ...(WAITING ?? []),
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

const later = <T>(value: T): Promise<T> =>
  new Promise((resolve) => setTimeout(() => resolve(value), 2))

describe('a call that is waited for', () => {
  it('is done at once when the host is', async () => {
    const app = await start(asks(), { f: (x: number) => x * 2 })
    expect(await app.call(['run'], 21)).toBe(42)
  })

  it('calls the guest back when the host is done later', async () => {
    const app = await start(asks(), { f: (x: number) => later(x * 2) })
    expect(await app.call(['run'], 21)).toBe(43)
    await app.idle()
  })

  it('lets others of the same instance run meanwhile', async () => {
    const seen: number[] = []
    const app = await start(asks(), {
      f: async (x: number) => {
        seen.push(x)
        return later(x)
      },
    })
    // The memory is shared, so the last result is what all see; that they overlap is what counts.
    await Promise.all([app.call(['run'], 1), app.call(['run'], 2), app.call(['run'], 3)])
    expect(seen).toEqual([1, 2, 3])
  })

  it('ends in the host’s error, for all that run', async () => {
    const app = await start(asks(), {
      f: () => later(0).then(() => Promise.reject(new Error('no luck'))),
    })
    const both = await Promise.allSettled([app.call(['run'], 1), app.call(['run'], 2)])
    expect(both.map((one) => one.status)).toEqual(['rejected', 'rejected'])
    await expect(app.call(['run'], 1)).rejects.toThrow(/trapped before/)
  })

  it('ends when the instance is disposed of', async () => {
    const app = await start(asks(), { f: () => new Promise(() => {}) })
    const call = app.call(['run'], 1)
    app.dispose()
    await expect(call).rejects.toThrow(/disposed of/)
  })

  it('is stopped at the host, and heard of no more, when the instance is disposed of', async () => {
    let stopped = 0
    let answer = (_: string): void => {}
    const app = await start(
      asks({
        types: '(import "f" (func $f async (param "x" u32) (result string)))',
        imports: [
          ...(WAITING ?? []),
          [
            'f',
            '(param i32 i32) (result i32)',
            'canon lower (func $f) async (memory $mem) (realloc $realloc)',
          ],
        ],
        code: `(func (export "run") (param i32) (result i32)
            (drop (call $f (local.get 0) (i32.const 64)))
            (i32.or (i32.const 2) (i32.shl (call $set-new) (i32.const 4))))
          ${NO_CALLBACK}`,
        exports: callback('run', '(param "x" u32)'),
      }),
      {
        f: () =>
          Object.assign(new Promise<string>((resolve) => (answer = resolve)), {
            stop: () => stopped++,
          }),
      },
    )
    const call = app.call(['run'], 1)
    app.dispose()
    await expect(call).rejects.toThrow(/disposed of/)
    expect(stopped).toBe(1)
    answer('too late')
    await expect(app.idle()).rejects.toThrow(/disposed of/)
  })

  it('can be given up', async () => {
    let stopped = 0
    const app = await start(
      asks({
        code: `(func (export "run") (param i32) (result i32)
            (call $return (call $cancel (i32.shr_u (call $f (i32.const 0) (i32.const 64)) (i32.const 4))))
            (i32.const 0))
          ${NO_CALLBACK}`,
      }),
      { f: () => Object.assign(new Promise(() => {}), { stop: () => stopped++ }) },
    )
    // Cancelled before it returned.
    expect(await app.call(['run'], 1)).toBe(4)
    expect(stopped).toBe(1)
  })
})

describe('a task', () => {
  const returns = (code: string, options = ''): string =>
    guest({
      imports: [
        ['return', '(param i32)', `canon task.return (result u32) ${options}`],
        ['return-long', '(param i64)', 'canon task.return (result u64)'],
        ['cancel', '', 'canon task.cancel'],
        ['get', '(result i32)', 'canon context.get i32 0'],
        ['set', '(param i32)', 'canon context.set i32 0'],
        ['inc', '', 'canon backpressure.inc'],
        ['dec', '', 'canon backpressure.dec'],
      ],
      code,
      exports: `${callback('run', '(result u32)')}
        (func (export "plain") (result u32) (canon lift (core func $m "plain")))`,
    })
  const PLAIN = '(func (export "plain") (result i32) (i32.const 1))'

  it('keeps what is its own while it yields', async () => {
    const app = await start(
      returns(`(global $count (mut i32) (i32.const 0)) ${PLAIN}
        (func (export "run") (result i32)
          (global.set $count (i32.add (global.get $count) (i32.const 1)))
          (call $set (global.get $count))
          (i32.const 1))
        (func (export "cb") (param i32 i32 i32) (result i32) (call $return (call $get)) (i32.const 0))`),
    )
    expect(await Promise.all([app.call(['run']), app.call(['run']), app.call(['run'])])).toEqual([
      1, 2, 3,
    ])
  })

  it('goes on after its result is there', async () => {
    const app = await start(
      returns(`(global $after (mut i32) (i32.const 0))
        (func (export "plain") (result i32) (global.get $after))
        (func (export "run") (result i32) (call $return (i32.const 7)) (i32.const 1))
        (func (export "cb") (param i32 i32 i32) (result i32) (global.set $after (i32.const 9)) (i32.const 0))`),
    )
    expect(await app.call(['run'])).toBe(7)
    expect(await app.call(['plain'])).toBe(0)
    await app.idle()
    expect(await app.call(['plain'])).toBe(9)
  })

  it('waits at the door while there is backpressure', async () => {
    const app = await start(
      returns(`(global $runs (mut i32) (i32.const 0)) ${NO_CALLBACK}
        (func (export "plain") (result i32)
          (if (global.get $runs) (then (call $dec)) (else (call $inc)))
          (global.get $runs))
        (func (export "run") (result i32)
          (global.set $runs (i32.add (global.get $runs) (i32.const 1)))
          (call $return (global.get $runs)) (i32.const 0))`),
    )
    expect(await app.call(['run'])).toBe(1)
    // Counts down where nothing was counted up.
    await expect(app.call(['plain'])).rejects.toThrow(/less backpressure than none/)
  })

  it.each([
    ['gives no result', '(i32.const 0)', /ends without a result/],
    [
      'gives two',
      '(call $return (i32.const 1)) (call $return (i32.const 1)) (i32.const 0)',
      /twice/,
    ],
    [
      'gives one of another type',
      '(call $return-long (i64.const 1)) (i32.const 0)',
      /another type/,
    ],
    ['gives up unasked', '(call $cancel) (i32.const 0)', /nobody has cancelled/],
    ['returns a code that is none', '(i32.const 5)', /unknown code 5/],
    ['waits for a set that is none', '(i32.const 114)', /unknown handle 7/],
  ])('traps when it %s', async (_, body, message) => {
    const app = await start(
      returns(`${PLAIN} ${NO_CALLBACK} (func (export "run") (result i32) ${body})`),
    )
    await expect(app.call(['run'])).rejects.toMatchObject({
      code: 'ERR_TRAP',
      message: expect.stringMatching(message),
    })
    await expect(app.call(['plain'])).rejects.toThrow(/trapped before/)
  })

  it('is not there in a synchronous call', async () => {
    const app = await start(
      returns(`${NO_CALLBACK} (func (export "run") (result i32) unreachable)
        (func (export "plain") (result i32) (call $return (i32.const 1)) (i32.const 1))`),
    )
    await expect(app.call(['plain'])).rejects.toThrow(
      /"task.return" is called by a synchronous call/,
    )
  })
})

/** Built-ins of a stream or future of `u8`, named by what they do. */
const transfers = (kind: 'stream' | 'future', options = 'async'): NonNullable<Guest['imports']> => {
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

describe('a destructor', () => {
  it('is not called into the middle of an asynchronous call of its component', async () => {
    let dropped = 0
    const app: ComponentInstance = await start(
      `(component
        (import "f" (func $f))
        (import "seen" (func $seen))
        (core func $f' (canon lower (func $f)))
        (core func $seen' (canon lower (func $seen)))
        (core func $return (canon task.return))
        (core module $D (import "" "seen" (func $seen)) (func (export "dtor") (param i32) (call $seen)))
        (core instance $d (instantiate $D (with "" (instance (export "seen" (func $seen'))))))
        (type $r (resource (rep i32) (dtor (core func $d "dtor"))))
        (core func $new (canon resource.new $r))
        (core module $M
          (import "" "f" (func $f)) (import "" "return" (func $return))
          (import "" "new" (func $new (param i32) (result i32)))
          (func (export "make") (result i32) (call $new (i32.const 7)))
          (func (export "run") (result i32) (call $f) (call $return) (i32.const 0))
          (func (export "cb") (param i32 i32 i32) (result i32) unreachable))
        (core instance $m (instantiate $M (with "" (instance
          (export "f" (func $f')) (export "return" (func $return)) (export "new" (func $new))))))
        (export $R "r" (type $r))
        (func (export "make") (result (own $R)) (canon lift (core func $m "make")))
        (func (export "run") async
          (canon lift (core func $m "run") async (callback (core func $m "cb")))))`,
      {
        seen: () => dropped++,
        f: () => void dropResource(made),
      },
    )
    const made = (await app.call(['make'])) as GuestResource
    await expect(app.call(['run'])).rejects.toThrow(/dropped while its component runs/)
    expect(dropped).toBe(0)
  })
})

describe('a stream', () => {
  const RETURN = ['return', '(param i32)', 'canon task.return (result $T)'] as const
  const makes = (body: string, kind: 'stream' | 'future' = 'stream'): string =>
    guest({
      types: `(type $T (${kind} u8))`,
      imports: [...(WAITING ?? []), ...transfers(kind), RETURN],
      code: `(data (i32.const 16) "abcdef") (global $w (mut i32) (i32.const 0)) (global $set (mut i32) (i32.const 0))
        (func $make (result i32) (local $both i64)
          (local.set $both (call $new))
          (global.set $w (i32.wrap_i64 (i64.shr_u (local.get $both) (i64.const 32))))
          (i32.wrap_i64 (local.get $both)))
        (func $wait (result i32)
          (global.set $set (call $set-new))
          (call $join (global.get $w) (global.get $set))
          (i32.or (i32.const 2) (i32.shl (global.get $set) (i32.const 4))))
        ${body}`,
      exports: callback('run', '(result $T)'),
    })

  it('goes to the host as the host reads it, and ends', async () => {
    const app = await start(
      makes(`(func (export "run") (result i32)
          (call $return (call $make))
          (drop (call $write (global.get $w) (i32.const 16) (i32.const 6)))
          (call $wait))
        (func (export "cb") (param i32 i32 i32) (result i32)
          ;; Of six bytes four have passed, so there are two to write.
          (call $join (global.get $w) (i32.const 0))
          (drop (call $write (global.get $w) (i32.const 20) (i32.const 0)))
          (call $drop-writable (global.get $w)) (i32.const 0))`),
    )
    const stream = (await app.call(['run'])) as Readable
    const first = (await readItems(stream, 4)) as Uint8Array
    expect(new TextDecoder().decode(first)).toBe('abcd')
  })

  it('fails for the host when the guest traps before its end', async () => {
    const app = await start(
      makes(`(func (export "run") (result i32) (call $return (call $make)) (i32.const 1))
        ${NO_CALLBACK}`),
    )
    const stream = (await app.call(['run'])) as Readable
    const reading = readItems(stream, 4)
    await expect(app.idle()).rejects.toThrow(/unreachable/)
    app.dispose()
    await expect(reading).rejects.toThrow(/unreachable/)
    await expect(readItems(stream, 4)).rejects.toThrow(/unreachable/)
  })

  it('of a host is read as far as there is something, then to its end', async () => {
    const parts = [Uint8Array.of(1, 2, 3), Uint8Array.of(4)]
    const app = await start(
      guest({
        types: '(type $T (stream u8)) (import "f" (func $f (result $T)))',
        imports: [
          ...transfers('stream'),
          ['f', '(result i32)', 'canon lower (func $f)'],
          [
            'return',
            '(param i32 i32 i32 i32)',
            'canon task.return (result (tuple u32 u32 u32 u32))',
          ],
        ],
        code: `(func (export "run") (result i32) (local $s i32)
            (local.set $s (call $f))
            (call $return
              (call $read (local.get $s) (i32.const 16) (i32.const 0))
              (call $read (local.get $s) (i32.const 16) (i32.const 10))
              (call $read (local.get $s) (i32.const 19) (i32.const 10))
              (call $read (local.get $s) (i32.const 20) (i32.const 10)))
            (call $drop-readable (local.get $s))
            (i32.const 0))
          ${NO_CALLBACK}`,
        exports: callback('run', '(result (tuple u32 u32 u32 u32))'),
      }),
      {
        f: () =>
          createHostStream({
            ready: () => true,
            wait: () => Promise.resolve(),
            read: () => parts.shift(),
            close() {},
          }),
      },
    )
    // Counts above four bits of outcome: nothing of nothing, three, one, and the end.
    expect(await app.call(['run'])).toEqual([0, 3 << 4, 1 << 4, 1])
  })

  it('can be given back to the host as it came', async () => {
    const app = await start(
      guest({
        types: '(type $T (stream u8))',
        imports: [['return', '(param i32)', 'canon task.return (result $T)']],
        code: `(func (export "run") (param i32) (result i32) (call $return (local.get 0)) (i32.const 0)) ${NO_CALLBACK}`,
        exports: callback('run', '(param "s" $T) (result $T)'),
      }),
    )
    const stream = createHostStream({
      ready: () => true,
      wait: () => Promise.resolve(),
      read: () => undefined,
      close() {},
    })
    expect(await app.call(['run'], stream)).toBe(stream)
    await expect(app.call(['run'], 'nothing')).rejects.toThrow(
      /something else where a stream is due/,
    )
  })

  it.each([
    [
      'read by its writer',
      '(drop (call $read (global.get $w) (i32.const 0) (i32.const 1)))',
      /is a writable end, not a readable end/,
    ],
    [
      'read twice at once',
      '(drop (call $read (local.get $r) (i32.const 0) (i32.const 1))) (drop (call $read (local.get $r) (i32.const 0) (i32.const 1)))',
      /used that is copying/,
    ],
    [
      'read outside of memory',
      '(drop (call $read (local.get $r) (i32.const 65530) (i32.const 100)))',
      /outside memory/,
    ],
    [
      'dropped while it is read',
      '(drop (call $read (local.get $r) (i32.const 0) (i32.const 1))) (call $drop-readable (local.get $r))',
      /dropped that copies/,
    ],
    [
      'given up though nothing goes on',
      '(drop (call $cancel-read (local.get $r)))',
      /nothing of an end/,
    ],
    [
      'used after its drop',
      '(call $drop-readable (local.get $r)) (call $drop-readable (local.get $r))',
      /unknown handle/,
    ],
    [
      'given away while it is read',
      '(drop (call $read (local.get $r) (i32.const 0) (i32.const 1))) (call $return (local.get $r))',
      /given away that is copying/,
    ],
  ])('traps when it is %s', async (_, body, message) => {
    const app = await start(
      makes(
        `(func (export "run") (result i32) (local $r i32) (local.set $r (call $make)) ${body} (i32.const 0)) ${NO_CALLBACK}`,
      ),
    )
    await expect(app.call(['run'])).rejects.toMatchObject({
      code: 'ERR_TRAP',
      message: expect.stringMatching(message),
    })
  })

  it.each([
    [
      'a reader has what a writer then gives',
      '(call $read (local.get $r) (i32.const 32) (i32.const 4)) drop (call $write (global.get $w) (i32.const 16) (i32.const 6))',
      4 << 4,
    ],
    [
      'a writer whose reader is gone is told',
      '(call $drop-readable (local.get $r)) (call $write (global.get $w) (i32.const 16) (i32.const 6))',
      1,
    ],
    [
      'a read that is given up is told so',
      '(drop (call $read (local.get $r) (i32.const 32) (i32.const 4))) (call $cancel-read (local.get $r))',
      2,
    ],
    [
      'a reader whose writer is gone is told',
      '(call $drop-writable (global.get $w)) (call $read (local.get $r) (i32.const 32) (i32.const 4))',
      1,
    ],
  ])('between two ends of a guest: %s', async (_, body, outcome) => {
    const app = await start(
      guest({
        types: '(type $T (stream u8))',
        imports: [
          ...transfers('stream'),
          ['return', '(param i32)', 'canon task.return (result u32)'],
        ],
        code: `(global $w (mut i32) (i32.const 0))
          (func (export "run") (result i32) (local $r i32) (local $both i64)
            (local.set $both (call $new)) (local.set $r (i32.wrap_i64 (local.get $both)))
            (global.set $w (i32.wrap_i64 (i64.shr_u (local.get $both) (i64.const 32))))
            (call $return ${body}) (i32.const 0)) ${NO_CALLBACK}`,
        exports: callback('run', '(result u32)'),
      }),
    )
    expect(await app.call(['run'])).toBe(outcome)
  })

  it('of a future must be written before it is dropped', async () => {
    const app = await start(
      makes(
        `(func (export "run") (result i32) (call $return (call $make)) (call $drop-writable (global.get $w)) (i32.const 0)) ${NO_CALLBACK}`,
        'future',
      ),
    )
    await expect(app.call(['run']).then(() => app.idle())).rejects.toThrow(/nobody has written/)
  })
})

describe('a future', () => {
  const passes = (type: string, core: string, options: string): string =>
    guest({
      types: `(type $T (future ${type})) (type $R ${type})`,
      imports: [
        ...(WAITING ?? []),
        [
          'read',
          '(param i32 i32) (result i32)',
          `canon future.read $T async (memory $mem) (realloc $realloc)`,
        ],
        ['return', `(param ${core})`, `canon task.return (result $R) ${options}`],
      ],
      code: `(global $f (mut i32) (i32.const 0))
        (func $give (call $return ${core
          .split(' ')
          .map((_, i) => `(i32.load (i32.const ${64 + i * 4}))`)
          .join(' ')}))
        (func (export "run") (param i32) (result i32) (local $set i32)
          (if (i32.eqz (call $read (local.get 0) (i32.const 64))) (then (call $give) (return (i32.const 0))))
          (local.set $set (call $set-new))
          (call $join (local.get 0) (local.get $set))
          (i32.or (i32.const 2) (i32.shl (local.get $set) (i32.const 4))))
        (func (export "cb") (param i32 i32 i32) (result i32) (call $give) (i32.const 0))`,
      exports: callback('run', '(param "f" $T) (result $R)', options),
    })

  it('has its value at once or later', async () => {
    const app = await start(passes('u32', 'i32', ''))
    expect(await app.call(['run'], createHostFuture(7))).toBe(7)
    expect(await app.call(['run'], createHostFuture(later(8)))).toBe(8)
  })

  it('passes values that need memory', async () => {
    const app = await start(passes('string', 'i32 i32', '(memory $mem)'))
    expect(await app.call(['run'], createHostFuture(later('über')))).toBe('über')
  })

  it('of the host can be read by the host', async () => {
    expect(await readFuture(createHostFuture(later('x')))).toBe('x')
  })
})

describe('standing still', () => {
  const waits = guest({
    types: '(type $T (stream u8)) (import "f" (func $f async (result u32)))',
    imports: [
      ...transfers('stream', ''),
      ['f', '(result i32)', 'canon lower (func $f)'],
      ['yield', '(result i32)', 'canon thread.yield'],
    ],
    code: `(func (export "call") (result i32) (i32.add (call $f) (i32.const 1)))
      (func (export "yield") (result i32) (call $yield))
      (func (export "read") (param i32) (result i32) (call $read (local.get 0) (i32.const 16) (i32.const 8)))`,
    exports: `(func (export "call") async (result u32) (canon lift (core func $m "call")))
      (func (export "yield") async (result u32) (canon lift (core func $m "yield")))
      (func (export "read") async (param "s" $T) (result u32) (canon lift (core func $m "read")))`,
  })
  const slowly = (): Readable => {
    const parts = [Uint8Array.of(1, 2)]
    let ready = false
    return createHostStream({
      ready: () => ready,
      wait: () => later(0).then(() => (ready = true)),
      read: () => parts.shift(),
      close() {},
    })
  }
  const cases: ReadonlyArray<readonly [string, readonly unknown[], number]> = [
    ['call', [], 42],
    ['yield', [], 0],
    ['read', [slowly()], 2 << 4],
  ]

  it.each(cases)('in "%s" needs JSPI, and says so without', async (name, args) => {
    const app = await start(waits, { f: () => later(41) })
    await expect(app.call([name], ...args)).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringMatching(CANT_WAIT),
    })
  })

  it('needs no JSPI for what is there at once', async () => {
    expect(await (await start(waits, { f: () => 41 })).call(['call'])).toBe(42)
  })

  if (hasJspi()) {
    it.each([
      ['call', () => [], 42],
      ['yield', () => [], 0],
      ['read', () => [slowly()], 2 << 4],
    ] as const)('in "%s" goes on when it can', async (name, args, result) => {
      const app = await start(waits, { f: () => later(41) }, true)
      expect(await app.call([name], ...args())).toBe(result)
    })

    it('of many at once keeps them apart', async () => {
      const app = await start(
        guest({
          types: '(import "f" (func $f async (param "x" u32) (result u32)))',
          imports: [
            ['f', '(param i32) (result i32)', 'canon lower (func $f)'],
            ['get', '(result i32)', 'canon context.get i32 0'],
            ['set', '(param i32)', 'canon context.set i32 0'],
            ['return', '(param i32)', 'canon task.return (result u32)'],
          ],
          code: `(func (export "run") (param i32) (local $i i32)
            (call $set (local.get 0))
            (loop $again
              (drop (call $f (call $get)))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (br_if $again (i32.lt_u (local.get $i) (i32.const 5))))
            (call $return (call $get)))`,
          exports: `(func (export "run") async (param "x" u32) (result u32) (canon lift (core func $m "run") async))`,
        }),
        // Some settle together, some don't.
        { f: async (x: number) => (x % 2 === 0 ? x : later(x)) },
        true,
      )
      const numbers = Array.from({ length: 30 }, (_, i) => i + 1)
      expect(await Promise.all(numbers.map((x) => app.call(['run'], x)))).toEqual(numbers)
    })
  }
})

describe('what nothing can wake', () => {
  const DEADLOCK = {
    code: 'ERR_TRAP',
    message: expect.stringMatching(/waits for what nothing can bring about \(a deadlock\)/),
  }
  const RETURN = ['return', '(param i32)', 'canon task.return (result u32)'] as const
  /** Makes a stream of its own and joins one of its ends, `$end`, to a set that it waits for. */
  const waits = (before: string, options: Partial<Guest> = {}): string =>
    guest({
      types: '(type $T (stream u8))',
      imports: [...(WAITING ?? []), ...transfers('stream'), RETURN, ...(options.imports ?? [])],
      code: `(global $set (mut i32) (i32.const 0)) (global $r (mut i32) (i32.const 0)) (global $w (mut i32) (i32.const 0))
        (func (export "run") (result i32) (local $both i64)
          (global.set $set (call $set-new))
          (local.set $both (call $new))
          (global.set $r (i32.wrap_i64 (local.get $both)))
          (global.set $w (i32.wrap_i64 (i64.shr_u (local.get $both) (i64.const 32))))
          ${before}
          (i32.or (i32.const 2) (i32.shl (global.get $set) (i32.const 4))))
        (func (export "cb") (param i32 i32 i32) (result i32) (call $return (i32.const 7)) (i32.const 0))`,
      exports: callback('run', '(result u32)'),
      ...(options.types !== undefined && { types: options.types }),
    })

  it.each([
    ['an empty set', ''],
    ['an end that is idle', '(call $join (global.get $r) (global.get $set))'],
    [
      'a stream that only it could write',
      `(call $join (global.get $r) (global.get $set))
       (drop (call $read (global.get $r) (i32.const 16) (i32.const 1)))`,
    ],
    [
      'a stream that only it could read',
      `(call $join (global.get $w) (global.get $set))
       (drop (call $write (global.get $w) (i32.const 16) (i32.const 1)))`,
    ],
  ])('traps: %s', async (_, before) => {
    const app = await start(waits(before))
    await expect(app.call(['run'])).rejects.toMatchObject(DEADLOCK)
    await expect(app.call(['run'])).rejects.toThrow(/trapped before/)
  })

  it('traps when it has already given its result', async () => {
    const app = await start(waits('(call $return (i32.const 1))'))
    expect(await app.call(['run'])).toBe(1)
    await expect(app.idle()).rejects.toMatchObject(DEADLOCK)
  })

  it('is not what another call of it brings about, or the host after many turns', async () => {
    const slowly = (): Promise<number> => new Promise((done) => setTimeout(done, 30, 5))
    const app = await start(asks(), { f: slowly })
    expect(await Promise.all([app.call(['run'], 1), app.call(['run'], 2)])).toEqual([6, 6])
  })

  it('is not a stream of the host that has nothing yet', async () => {
    const types = '(type $T (stream u8)) (import "f" (func $f (result $T)))'
    const app = await start(
      waits(
        `(global.set $r (call $f)) (call $join (global.get $r) (global.get $set))
         (drop (call $read (global.get $r) (i32.const 16) (i32.const 1)))`,
        { types, imports: [['f', '(result i32)', 'canon lower (func $f)']] },
      ),
      {
        f: () => {
          let ready = false
          return createHostStream({
            ready: () => ready,
            wait: () => new Promise((done) => setTimeout(done, 30)).then(() => (ready = true)),
            read: () => Uint8Array.of(1),
            close() {},
          })
        },
      },
    )
    expect(await app.call(['run'])).toBe(7)
  })

  if (hasJspi()) {
    it('traps when it stands still', async () => {
      const app = await start(
        guest({
          types: '(type $T (stream u8))',
          imports: transfers('stream', ''),
          code: `(func (export "run") (result i32) (call $read (i32.wrap_i64 (call $new)) (i32.const 16) (i32.const 8)))`,
          exports: `(func (export "run") async (result u32) (canon lift (core func $m "run")))`,
        }),
        {},
        true,
      )
      await expect(app.call(['run'])).rejects.toMatchObject(DEADLOCK)
    })
  }
})

describe('what is not supported', () => {
  it.each([
    [
      'error-context',
      '(component (core module $M (memory (export "m") 1)) (core instance $m (instantiate $M)) (alias core export $m "m" (core memory $mem)) (core func (canon error-context.new (memory $mem))))',
      /error-context/,
    ],
    ['threads', '(component (core func (canon thread.index)))', /threads/],
    ['maps', '(component (type (map string u32)))', /map/],
  ])('is refused by name: %s', async (_, wat, message) => {
    await expect(start(wat)).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringMatching(message),
    })
  })

  it.each([
    [
      'an async lift of what is not async',
      '(func (export "f") (canon lift (core func $m "f") async (callback (core func $m "cb"))))',
      /its type is not: async/,
    ],
    [
      'a callback without async',
      '(func (export "f") async (canon lift (core func $m "f") (callback (core func $m "cb"))))',
      /has a callback, but is not async/,
    ],
  ])('is refused as malformed: %s', async (_, exports, message) => {
    const wat = guest({
      code: `(func (export "f") (result i32) (i32.const 0)) ${NO_CALLBACK}`,
      exports,
    })
    await expect(start(wat)).rejects.toMatchObject({
      code: 'ERR_CONTENT_INVALID',
      message: expect.stringMatching(message),
    })
  })
})

describe('what a host has for a guest', () => {
  const copies = (): { readonly copy: Copy; readonly results: number[] } => {
    const results: number[] = []
    const buffer = {
      length: 1,
      progress: 0,
      take: () => [],
      put: () => void buffer.progress++,
      fail: () => {},
    }
    return { copy: { buffer, some: () => {}, done: (result) => results.push(result) }, results }
  }

  it('is waited for once, however often a guest reads a stream and gives it up', async () => {
    let waits = 0
    let wake = (): void => {}
    let ready = false
    const stream = createHostStream({
      ready: () => ready,
      wait: () => new Promise<void>((resolve) => ((wake = resolve), waits++)),
      read: () => [1],
      close: () => {},
    })
    for (let i = 0; i < 100; i++) {
      const { copy } = copies()
      stream.read(copy)
      stream.cancel(copy)
    }
    expect(waits).toBe(1)
    const { copy, results } = copies()
    stream.read(copy)
    ready = true
    wake()
    await later(0)
    expect([results, copy.buffer.progress]).toEqual([[0], 1])
  })

  it('is waited for once, however often a guest reads a future and gives it up', async () => {
    let settle = (_: number): void => {}
    const value = new Promise<number>((resolve) => (settle = resolve))
    const then = vi.spyOn(value, 'then')
    const future = createHostFuture(value)
    for (let i = 0; i < 100; i++) {
      const { copy } = copies()
      future.read(copy)
      future.cancel(copy)
    }
    expect(then).toHaveBeenCalledTimes(1)
    const { copy, results } = copies()
    future.read(copy)
    settle(5)
    await later(0)
    expect([results, copy.buffer.progress]).toEqual([[0], 1])
  })
})
