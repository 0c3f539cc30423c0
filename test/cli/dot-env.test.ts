import { describe, expect, it } from 'vitest'
import { parseDotEnv } from '../../src/cli/app/dot-env.ts'

const ENV = { HOST: 'env.example' }
const read = (text: string): Record<string, string> =>
  Object.fromEntries(parseDotEnv(text, ENV, '.env'))

describe('a value in .env is what dotenvy 0.15.7 makes of it', () => {
  // Each line was read by that crate, and gave this value.
  it.each([
    ['X=postgres://u:p#w@h/db', 'postgres://u:p#w@h/db'],
    ['X=a #comment', 'a'],
    ['X=a# no comment', undefined],
    ['X=#comment', ''],
    ['X=', ''],
    ['X = "spaced out"', 'spaced out'],
    ['export X=exported', 'exported'],
    ['X=`backticks`', '`backticks`'],
    ['X={"a":1}', '{a:1}'],
    [`X='{"a":"$HOST"}'`, '{"a":"$HOST"}'],
    ['X=http://$HOST/', 'http://env.example/'],
    ['X="http://${HOST}"', 'http://env.example'],
    ['A=1\nX=${A}2', '12'],
    ['A_B=1\nX=${A_B}', '1'],
    ['A=1\nX=$A_B', '1_B'],
    ['X=${NOBODY}.', '.'],
    ['HOST=file\nX=$HOST', 'env.example'],
    ['X=a\\ b\\$c', 'a b$c'],
    ['X="a\\nb\\"c"', 'a\nb"c'],
    [String.raw`X='a\nb'`, 'a\\nb'],
    ['X="line 1\nline 2"', 'line 1\nline 2'],
    ["X='-----BEGIN KEY-----\r\nabc\r\n'", '-----BEGIN KEY-----\r\nabc\r\n'],
    ['X=one"two"\'three\'', 'onetwothree'],
    ['X=windows\r\n', 'windows'],
    ['X=1\nX=2', '2'],
    ['# comment\n\n   # another\nX=1', '1'],
  ])('%j', (text, value) => {
    if (value === undefined) expect(() => read(text)).toThrow('.env:1: ')
    else expect(read(text)['X']).toBe(value)
  })

  it('also after a byte order mark, and before blanks at the end of the file', () => {
    expect(read('\ufeffX=1')).toEqual({ X: '1' })
    expect(read('X=1 ')).toEqual({ X: '1' })
  })
})

describe('an error in .env', () => {
  it.each([
    ['garbage', 1],
    ['A=1\n\ngarbage', 3],
    ['A="1\n2"\ngarbage', 3],
    ['A=1\r\n# c\r\n=x', 3],
    ['A=two words', 1],
    ['A=1\nB="open\nC=3', 2],
    ['A=${open', 1],
    ['A=C:\\temp', 1],
    ['1A=x', 1],
    ['.A=x', 1],
    ['A-B=x', 1],
  ])('has the number of its line: %j', (text, line) => {
    expect(() => read(text)).toThrow(`.env:${line}: `)
  })

  it('shows nothing of the file', () => {
    for (const text of ['s3cret', 'A=s3cret s3cret', 'A="s3cret', 'A=s3cret\\q', 'A=${s3cret']) {
      let message = ''
      try {
        read(text)
      } catch (error) {
        message = (error as Error).message
      }
      expect(message).toMatch(/^\.env:1: /)
      expect(message).not.toContain('s3cret')
    }
  })

  it('ends variables that double each other', () => {
    const doubled = Array.from({ length: 60 }, (_, i) => `V${i + 1}=\${V${i}}\${V${i}}`)
    expect(() => read(['V0=x', ...doubled].join('\n'))).toThrow('longer than 1048576 characters')
  })
})
