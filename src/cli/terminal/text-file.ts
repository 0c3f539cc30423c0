import { decodeUtf8 } from '../../bytes/text.ts'
import { readFileBounded } from '../../node/files/bounded-file.ts'
import { CommandError } from './io.ts'

/** Maximum size of a text file. Keys, roots, policies and variables have a few KiB. */
const MAX_BYTES = 4 * 1024 * 1024

/** Reads a text file named by a flag. @param what The content, for messages. */
export async function readTextFile(path: string, what: string): Promise<string> {
  const bytes = await readFileBounded(path, MAX_BYTES)
  if (bytes === undefined) throw new CommandError(`there is no file ${path} with ${what}`)
  const text = decodeUtf8(bytes)
  if (text === undefined) throw new CommandError(`${path} with ${what} is not UTF-8 text`)
  return text
}
