import { readFileSync } from 'node:fs'

const FENCED = /^```(\w+)(?: ([^\n]+))?\n(.*?)^```$/gms

export interface Block {
  readonly language: string
  /** What follows the language; absent for blocks that nothing asks for. */
  readonly name?: string
  readonly text: string
}

export const readDocument = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

/** The code blocks of a document, in its order. */
export function blocksOf(document: string): readonly Block[] {
  return [...document.matchAll(FENCED)].map(([, language = '', name, text = '']) => ({
    language,
    text,
    ...(name === undefined ? {} : { name }),
  }))
}

/** Gives the text of the block with a name, and fails where there is none or more than one. */
export function namedBlocks(document: string): (name: string) => string {
  const blocks = blocksOf(document)
  return (name) => {
    const found = blocks.filter((block) => block.name === name)
    if (found.length !== 1) throw new Error(`${found.length} blocks are named ${name}`)
    return found[0]!.text
  }
}

/** JSON as on the wire: what the document shows, without blanks and in its order. */
export const compact = (json: string): string => JSON.stringify(JSON.parse(json))
