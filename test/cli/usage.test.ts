import { describe, expect, it } from 'vitest'
import type { Command } from 'commander'
import { createProgram } from '../../src/cli/program.ts'
import {
  addressOption,
  pairOption,
  countOption,
  serverArgument,
  sizeOption,
  timeOption,
} from '../../src/cli/terminal/arguments.ts'
import { formatSize, printable, wrapProse } from '../../src/cli/terminal/text.ts'
import type { CliIo } from '../../src/cli/terminal/io.ts'
import { createSession } from './session.ts'

const namesBelow = (command: Command, path: readonly string[] = []): string[][] =>
  command.commands.flatMap((sub) => {
    const own = [...path, sub.name()]
    return [own, ...namesBelow(sub, own)]
  })
const commands = namesBelow(createProgram({ env: {}, stdout: {}, stderr: {} } as unknown as CliIo))

describe('help', () => {
  it.each([[[]], ...commands.map((path) => [path])])(
    'of %j goes to stdout and has an example',
    async (path) => {
      const { code, stdout, stderr } = await createSession().run(...path, '--help')
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toContain(
        `Usage: ${['spindle', ...path].join(' ')}`.replace(
          'registry',
          path.length === 1 ? 'registry|oci' : 'registry',
        ),
      )
      expect(stdout).toMatch(/Examples?:\n {2}\$ .*spindle /)
    },
  )

  it('goes to stderr as wrong usage when no command is given', async () => {
    for (const args of [[], ['registry']]) {
      const { code, stdout, stderr } = await createSession().run(...args)
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).toContain('Usage: spindle')
    }
  })

  it.each(commands.map((path) => [path]))(
    'of %j has no prose that is wider than a terminal',
    async (path) => {
      const { stdout } = await createSession().run(...path, '--help')
      const wide = stdout.split('\n').filter((line) => /^\S/.test(line) && line.length > 80)
      expect(wide).toEqual([])
    },
  )

  it('has no colours in a pipe', async () => {
    // eslint-disable-next-line no-control-regex
    expect((await createSession().run('--help')).stdout).not.toMatch(/\u001b/)
  })
})

it('says its version', async () => {
  expect(await createSession().run('--version')).toEqual({ code: 0, stdout: '0.1.0\n', stderr: '' })
})

describe('wrong usage', () => {
  it.each([
    [['frobnicate'], "unknown command 'frobnicate'"],
    [['registry', 'frobnicate'], "unknown command 'frobnicate'"],
    [['registry', 'pusj', 'x/y'], 'Did you mean push?'],
    [['registry', 'push'], "missing required argument 'reference'"],
    [['registry', 'push', '--jason', 'localhost:1/x'], 'Did you mean --json?'],
    [['registry', 'pull', 'localhost:1/x', 'extra'], 'too many arguments'],
    [['registry', 'pull', 'localhost:1/Upper'], 'must be lower case'],
    [['registry', 'pull', 'localhost:1/x', '-o', 'a', '--oci-layout', 'b'], 'give one of them'],
    [['registry', 'pull', 'localhost:1/x', '--concurrency', '0'], 'whole number'],
    [['registry', 'push', 'localhost:1/x', '--annotation', 'novalue'], 'KEY=VALUE'],
    [['registry', 'login', 'not a host'], 'HOST or HOST:PORT'],
    [['registry', 'login', 'ghcr.io', '-u', 'a', '-p', 'b', '--password-stdin'], 'not both'],
    [['registry', 'login', 'ghcr.io', '--password-stdin'], 'needs --username'],
    [['registry', 'login', 'ghcr.io'], 'without a terminal'],
    [['registry', 'login', 'ghcr.io', '-u', 'a:b', '-p', 'c'], 'contain a colon'],
    [['serve', '--address', 'nowhere'], 'HOST:PORT'],
  ])('%j is exit code 2 and says %s', async (args, message) => {
    const { code, stdout, stderr } = await createSession().run(...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
  })

  it.each([
    [['frobnicate'], 'spindle'],
    [['registry', 'frobnicate'], 'spindle registry'],
    [['registry', 'push', '--what'], 'spindle registry push'],
    [['bindle', 'keys', 'add'], 'spindle bindle keys add'],
  ])('%j ends with the command that shows the help', async (args, path) => {
    const { stderr } = await createSession().run(...args)
    expect(stderr).toMatch(new RegExp(`\nRun "${path} --help" for usage\\.\n$`))
  })

  it.each([
    [['registry', 'tags', 'A'], 'error: "A" is not a reference: the name "library/A" must'],
    [['bindle', 'info', 'x'], 'error: "x" is not a bindle id; write NAME/VERSION'],
    [
      ['registry', 'logout', 'a b'],
      'error: "a b" is not a valid <server>. Write HOST or HOST:PORT',
    ],
  ])('%j says once what was typed: %s', async (args, message) => {
    const { stderr } = await createSession().run(...args)
    expect(stderr.startsWith(message)).toBe(true)
  })
})

describe('what is typed', () => {
  it.each([
    ['1', 1],
    ['4194304', 4194304],
    ['4k', 4000],
    ['4MB', 4_000_000],
    ['4MiB', 4 * 1024 * 1024],
    ['1GiB', 1024 ** 3],
  ])('%s is a size of %d bytes', (text, bytes) => expect(sizeOption(text)).toBe(bytes))
  it.each(['0', '-1', '1.5', 'x', '1TB', ''])('%j is no size', (text) =>
    expect(() => sizeOption(text)).toThrow('bytes'),
  )

  it.each([
    ['127.0.0.1:8080', { host: '127.0.0.1', port: 8080 }],
    [':0', { host: '127.0.0.1', port: 0 }],
    ['[::1]:80', { host: '::1', port: 80 }],
    ['localhost:65535', { host: 'localhost', port: 65535 }],
  ])('%s is an address', (text, address) => expect(addressOption(text)).toEqual(address))
  it.each(['8080', '127.0.0.1', '127.0.0.1:65536', '::1:80', 'http://x:1'])(
    '%j is no address',
    (text) => expect(() => addressOption(text)).toThrow('HOST:PORT'),
  )

  it.each([
    ['ghcr.io', 'ghcr.io'],
    ['https://ghcr.io/v2/', 'ghcr.io'],
    ['localhost:5000', 'localhost:5000'],
    ['http://127.0.0.1:5000/x', '127.0.0.1:5000'],
    ['index.docker.io', 'docker.io'],
  ])('%s is the server %s', (text, server) => expect(serverArgument(text)).toBe(server))
  it.each(['', 'ghcr', 'user@ghcr.io', 'a b.c', '-x.y'])('%j is no server', (text) =>
    expect(() => serverArgument(text)).toThrow('HOST'),
  )

  it('annotations add up, and may have = in their values', () => {
    expect([...pairOption('b=c=d', pairOption('a='))]).toEqual([
      ['a', ''],
      ['b', 'c=d'],
    ])
    expect(() => pairOption('=x')).toThrow('KEY=VALUE')
  })

  it('times are RFC 3339 or seconds', () => {
    expect(timeOption('2026-01-31T12:00:00Z').getTime()).toBe(Date.UTC(2026, 0, 31, 12))
    expect(timeOption('86400').toISOString()).toBe('1970-01-02T00:00:00.000Z')
    for (const text of ['yesterday', '2026-13-01', '1 Jan 2026'])
      expect(() => timeOption(text)).toThrow('Write a time')
  })

  it('counts are small whole numbers', () => {
    expect(countOption('16')).toBe(16)
    expect(() => countOption('1e3')).toThrow('whole number')
  })
})

it('sizes are shown in decimal units', () => {
  expect([0, 999, 1000, 999_949, 999_950, 3_400_000, 2e9].map(formatSize)).toEqual([
    '0 B',
    '999 B',
    '1.0 kB',
    '999.9 kB',
    '1.0 MB',
    '3.4 MB',
    '2.0 GB',
  ])
})

it('prose is broken anew where it is too wide, and nothing else is', () => {
  const typed = '  $ spindle registry push ghcr.io/ann/hello:1.0.0\n'
  expect(wrapProse(`one two\nthree four\n\nExample:\n${typed}`, 12)).toBe(
    `one two\nthree four\n\nExample:\n${typed}`,
  )
  expect(wrapProse(`one two three\nfour\n\nExample:\n${typed}`, 12)).toBe(
    `one two\nthree four\n\nExample:\n${typed}`,
  )
})

it('text from elsewhere moves no cursor and turns no writing around', () => {
  expect(printable('a\u001b[2Jb\rc\u202ed\n\te')).toBe('a\\u001b[2Jb\\u000dc\\u202ed\n\te')
})
