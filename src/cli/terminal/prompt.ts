import { readBounded } from '../../bytes/stream.ts'
import { decodeUtf8 } from '../../bytes/text.ts'
import { Readable } from 'node:stream'
import { type CliIo, Interrupted, UsageError } from './io.ts'

/** Maximum size of a password from stdin. Tokens of cloud registries have a few KiB. */
const MAX_BYTES = 64 * 1024

/** Prompts on the terminal; `hidden` does not echo the input. */
export async function ask(
  io: CliIo,
  prompt: string,
  how: { readonly hidden: boolean },
): Promise<string> {
  if (io.stdin.isTTY !== true) {
    throw new UsageError(
      'cannot prompt without a terminal; give --username, and the password with --password-stdin',
    )
  }
  const { read } = await import('read')
  try {
    return await read({ prompt, silent: how.hidden, input: io.stdin, output: io.stderr })
  } catch {
    // The terminal is in raw mode during the prompt, so Ctrl-C is a key and not a signal.
    throw new Interrupted('SIGINT')
  } finally {
    if (how.hidden) io.stderr.write('\n')
  }
}

/**
 * Reads a password from stdin, without one trailing newline.
 * @param otherwise Text after "there is no password on stdin", with an alternative.
 */
export async function readPasswordFromStdin(io: CliIo, otherwise = ''): Promise<string> {
  const stream = Readable.toWeb(io.stdin as Readable) as ReadableStream<Uint8Array>
  const text = decodeUtf8(await readBounded(stream, MAX_BYTES, 'the password on stdin', io.signal))
  if (text === undefined) throw new UsageError('the password on stdin is not UTF-8 text')
  const password = text.replace(/\r?\n$/, '')
  if (password === '') throw new UsageError(`there is no password on stdin${otherwise}`)
  return password
}
