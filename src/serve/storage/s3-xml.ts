import type { StoredInfo } from './port.ts'

/**
 * Reads the few XML elements of S3 responses that the storage needs. They contain text only, and keys are
 * percent-encoded, so that they contain no markup.
 */

/** The text of the first element with a name. */
export function textOf(xml: string, name: string): string | undefined {
  const text = new RegExp(`<${name}(?:\\s[^>]*)?>([^<]*)</${name}>`).exec(xml)?.[1]
  return text === undefined ? undefined : decodeEntities(text)
}

/** The content of all elements with a name. */
function elementsOf(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, 'gs'))].map((match) => match[1]!)
}

/** Parses a page of a list. @see {@link https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html ListObjectsV2} */
export function parseListing(xml: string): { entries: StoredInfo[]; more: boolean } {
  const isEncoded = textOf(xml, 'EncodingType') === 'url'
  const entries = elementsOf(xml, 'Contents').map((content) => {
    const key = textOf(content, 'Key') ?? ''
    return {
      key: isEncoded ? decodeURIComponent(key.replaceAll('+', ' ')) : key,
      size: Number(textOf(content, 'Size') ?? 0),
      modified: Date.parse(textOf(content, 'LastModified') ?? '') || 0,
    }
  })
  return { entries, more: textOf(xml, 'IsTruncated') === 'true' }
}

/** Formats the list of parts that completes an upload. @see {@link https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html CompleteMultipartUpload} */
export function formatCompletion(etags: readonly string[]): string {
  const parts = etags.map(
    (etag, index) =>
      `<Part><PartNumber>${index + 1}</PartNumber><ETag>${encodeEntities(etag)}</ETag></Part>`,
  )
  return `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts.join('')}</CompleteMultipartUpload>`
}

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
])

function decodeEntities(text: string): string {
  return text.replaceAll(
    /&(?:#(\d{1,6})|#x([0-9a-f]{1,5})|(\w+));/gi,
    (whole, decimal, hex, name) => {
      if (name !== undefined) return ENTITIES.get(String(name)) ?? String(whole)
      return String.fromCodePoint(
        decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal),
      )
    },
  )
}

function encodeEntities(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
