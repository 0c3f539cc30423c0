import type { PulledApp } from '../../src/spin/artifact/pulled-app.ts'
import type { Runtime } from '../portable/capabilities.ts'
import { pulledApp, type FixtureComponent } from './pulled-app.ts'

/** What each kind of guest is asked in every runtime: the README's table of executors is held to it. */
export interface ExecutorCase {
  /** As in the README's table. */
  readonly name: string
  /** A file of `test/guests`, without `.wasm`. */
  readonly guest: string
  readonly path: string
  /** What its answer contains. */
  readonly answer: string
  /** Where it can't be had; the log says `ERR_UNSUPPORTED`. Nowhere else. */
  readonly refused?: readonly Runtime[]
}

// Both take JSPI, which the older have not.
const WITHOUT_JSPI = ['Node 20, 22'] as const
const TICKS = 'tick\ntick\ntick\n'

export const executorCases: readonly ExecutorCase[] = [
  { name: '`wasi:http` 0.2', guest: 'proxy', path: '/env', answer: 'MODE=test\n' },
  {
    name: '`wasi:http` 0.2, waiting',
    guest: 'proxy',
    path: '/slow',
    answer: TICKS,
    refused: WITHOUT_JSPI,
  },
  {
    name: '`wasi:http` 0.3, called back',
    guest: 'async',
    path: '/hello',
    answer: 'Hello from 0.3!',
  },
  { name: '`wasi:http` 0.3, called back, waiting', guest: 'async', path: '/slow', answer: TICKS },
  {
    name: '`wasi:http` 0.3, standing still',
    guest: 'stackful',
    path: '/hello',
    answer: 'Hello from 0.3!',
    refused: WITHOUT_JSPI,
  },
  {
    name: '`wasi:http` 0.3, standing still, waiting',
    guest: 'stackful',
    path: '/slow',
    answer: TICKS,
    refused: WITHOUT_JSPI,
  },
  {
    name: '`fermyon:spin/inbound-http`',
    guest: 'inbound',
    path: '/p?q',
    answer: 'method 0 uri /p?q body ',
  },
  {
    name: '`fermyon:spin/inbound-http` with SQLite',
    guest: 'sqlite',
    path: '/default',
    answer: "c,i,r,t,b,n,1|5000|real 150|x'y|blob|null|",
    refused: ['workerd'],
  },
  { name: 'core module of Spin 2.0 to 3.6', guest: 'mixed', path: '/kv', answer: 'value' },
  {
    name: 'core module of Spin 2.0 to 3.6, waiting',
    guest: 'mixed',
    path: '/sleep',
    answer: 'slept 0',
    refused: WITHOUT_JSPI,
  },
  {
    name: 'core module of `wasi:http` 0.3',
    guest: 'async-core',
    path: '/slow',
    answer: TICKS,
  },
  { name: 'module of Spin 0.x and 1.x', guest: 'legacy', path: '/kv', answer: 'after default' },
  {
    name: 'module of Spin 0.x and 1.x, waiting',
    guest: 'legacy',
    path: '/out/http://up.example/a',
    answer: 'http://up.example/a',
    refused: WITHOUT_JSPI,
  },
  {
    name: 'module of Spin 0.x and 1.x with SQLite',
    guest: 'legacy',
    path: '/sqlite/default',
    answer: "i,r,t,b,n,5000|real 150|x'y|blob|null|error 4 ",
    refused: ['workerd'],
  },
  { name: 'WAGI as a module', guest: 'wagi', path: '/p?q', answer: '[/p][q]' },
  {
    name: 'WAGI as a module, waiting',
    guest: 'wagi',
    path: '/?sleep',
    answer: 'slept 0',
    refused: WITHOUT_JSPI,
  },
  { name: 'WAGI as `wasi:cli/run`', guest: 'command', path: '/p?q', answer: '[/p][q]' },
]

/** What the guests of the cases are given, the same in every runtime. */
export const executorComponent: Omit<FixtureComponent, 'wasm'> = {
  env: { MODE: 'test' },
  metadata: {
    key_value_stores: ['default'],
    databases: ['default'],
    allowed_outbound_hosts: ['http://up.example'],
  },
}

export function executorTrigger(guest: string): { readonly executor?: { readonly type: string } } {
  return guest === 'wagi' || guest === 'command' ? { executor: { type: 'wagi' } } : {}
}

export function executorApp(guest: string, wasm: Uint8Array): PulledApp {
  return pulledApp({ guest: { wasm, ...executorComponent } }, [
    { route: '/...', component: 'guest', ...executorTrigger(guest) },
  ])
}
