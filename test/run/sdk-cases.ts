// What guests of the public SDKs answer, each path as its source in test/guests/sdk has it.
import { readFileSync } from 'node:fs'
import { it } from 'vitest'
import { findSdkGuests } from '../guests/sdk/build.mjs'

export interface SdkCase {
  readonly path: string
  readonly body?: string
  readonly status?: number
  /** All of the answer, or what it has within. */
  readonly answer: string | RegExp
  /** What its guest needs of the engine: to wait for the host in a call that isn't async. */
  readonly waits?: true
}

export interface SdkGuest {
  readonly name: string
  readonly cases: readonly SdkCase[]
  /** WAGI programs have another executor. */
  readonly executor?: string
  /** Has what Node.js 20 can't compile. */
  readonly extendedConstants?: true
}

/** What each application's manifest gives: the variable, an environment, the host that answers. */
export const SDK_VARIABLE = 'Hi, {{ who }}!'
export const UPSTREAM_ANSWER = (body: string): string => `up: ${body}`

const hello = (answer: string): SdkCase => ({ path: '/hello', answer })
const echo: SdkCase = { path: '/echo', body: 'abc'.repeat(40_000), answer: 'abc'.repeat(40_000) }
const variables: SdkCase = { path: '/variables', answer: 'Hi, you!' }
const missing: SdkCase = { path: '/missing', status: 404, answer: 'no such path /missing' }
const headers: SdkCase = { path: '/headers', answer: /^spin-path-info: \/headers$/m }
const outbound: SdkCase = { path: '/outbound?UPSTREAM/x', answer: 'up: guest body' }

const rust: readonly SdkCase[] = [
  hello('Hello from Rust SDK'),
  headers,
  echo,
  variables,
  { path: '/key-value', body: 'v1', answer: '["k"] v1' },
  {
    path: '/sqlite',
    answer: /^\["id", "name"\] \[\[.*Integer\(1730000000000000001\), .*Text\("é"\)\]\]$/,
  },
  { path: '/environment', answer: 'Ok("bar")' },
  { path: '/files?/data/a.txt', answer: 'a file' },
  { ...outbound, waits: true },
  { path: '/panic', status: 500, answer: '' },
  { path: '/error', status: 500, answer: /an error from the handler|^$/ },
  missing,
]
const python: readonly SdkCase[] = [
  hello('Hello from Python!'),
  headers,
  echo,
  variables,
  { path: '/key-value', body: 'v1', answer: 'v1' },
  { path: '/raise', status: 500, answer: '' },
  missing,
]
const streamed: readonly SdkCase[] = [
  ...python,
  { path: '/sqlite', answer: "[[1730000000000000001, 'é']]" },
  outbound,
]
const rust6: readonly SdkCase[] = [
  hello('Hello from Rust SDK 6'),
  headers,
  echo,
  variables,
  { path: '/key-value', body: 'v1', answer: '["k"] v1' },
  {
    path: '/sqlite',
    answer: /^1 1 \["id", "name"\] \[\[.*Integer\(1730000000000000001\), .*Text\("é"\)\]\]$/,
  },
  outbound,
  { path: '/panic', status: 500, answer: '' },
  { path: '/error', status: 500, answer: '' },
  missing,
]

export const sdkGuests: readonly SdkGuest[] = [
  { name: 'rust-3', cases: rust },
  { name: 'rust-5', cases: rust },
  { name: 'rust-6', cases: rust6 },
  { name: 'rust-6-component', cases: rust6 },
  { name: 'python-3', cases: [...python, { ...outbound, waits: true }] },
  { name: 'python-4', cases: streamed, extendedConstants: true },
  { name: 'python-5', cases: streamed, extendedConstants: true },
  {
    name: 'hono',
    cases: [
      hello('Hello from hono!'),
      headers,
      echo,
      { path: '/users/ann', answer: '{"message":"Hello, ann"}' },
      { path: '/stream', answer: 'part 1\npart 2\npart 3\n' },
      { path: '/outbound?url=UPSTREAM/x', answer: 'up: guest body', waits: true },
      { path: '/raise', status: 500, answer: 'Internal Server Error' },
      { path: '/missing', status: 404, answer: '404 Not Found' },
    ],
  },
  {
    name: 'go-wagi',
    executor: '{ type = "wagi" }',
    cases: [
      hello('Hello from Go!'),
      { path: '/headers', answer: /^HTTP_HOST=/m },
      echo,
      { path: '/panic', status: 500, answer: '' },
      missing,
    ],
  },
]

const built = findSdkGuests()

export function sdkGuest(name: string): Uint8Array | undefined {
  const path = built.get(name)
  return path === undefined ? undefined : new Uint8Array(readFileSync(path))
}

/** A case for each guest; left out, with a word of why, where nobody has built it. */
export function itHasSdkGuest(
  guest: Pick<SdkGuest, 'name'>,
  test: (wasm: Uint8Array) => Promise<void>,
  does = 'answers as its SDK means it',
): void {
  const name = `${guest.name} ${does}`
  if (built.get(guest.name) !== undefined)
    it(name, () => test(sdkGuest(guest.name) as Uint8Array), 60_000)
  else it(name, (context) => context.skip('not built: node test/guests/sdk/build.mjs'))
}
