import type { PushOptions } from 'spindle/push'
import { copyButton } from '../../page/copy-button.ts'
import { element, find } from '../../page/dom.ts'
import { formatBytes, formatCount, shortenDigest } from '../../page/format.ts'

type TransferEvent = Parameters<NonNullable<PushOptions['onProgress']>>[0]
type BlobEvent = Extract<TransferEvent, { type: 'blob' }>

const WORDS: Readonly<Record<BlobEvent['status'], string>> = {
  waiting: 'waiting',
  active: 'sending',
  done: 'sent',
  exists: '✓ already there',
  mounted: '✓ taken over',
}

/** What is none of the application's own files. */
function nameOf(mediaType: string): string {
  if (mediaType.includes('spin.application')) return 'lock of the application'
  if (mediaType.endsWith('tar+gzip')) return 'files in an archive'
  return 'configuration'
}

export interface Progress {
  readonly update: (event: TransferEvent) => void
  readonly setNames: (names: ReadonlyMap<string, string>) => void
  readonly setText: (text: string) => void
  /** It is over: says of what was not sent that it was not, now and whatever comes late. */
  readonly stop: (text: string) => void
  /** Blobs that are on the other side, and how many of them need not be sent. */
  readonly count: () => { readonly there: number; readonly skipped: number; readonly all: number }
}

/** One bar, one row per blob; however fast events come, drawn once per frame. */
export function createProgress(): Progress {
  const blobs = new Map<string, BlobEvent>()
  const rows = new Map<string, { status: HTMLElement; name: HTMLElement }>()
  let names: ReadonlyMap<string, string> = new Map()
  let plan = { blobs: 0, bytes: 0 }
  let text: string | undefined = 'Looking at what is there already'
  let frame: number | undefined
  let isStopped = false
  find('blobs').replaceChildren()

  const draw = (): void => {
    if (frame !== undefined) cancelAnimationFrame(frame)
    frame = undefined
    let loaded = 0
    for (const [digest, event] of blobs) {
      loaded += event.loaded
      drawRow(digest, event)
    }
    const bar = find<HTMLProgressElement>('bar')
    bar.max = Math.max(plan.bytes, 1)
    bar.value = loaded
    const { there } = count()
    find('bar-text').textContent =
      text ??
      `${formatBytes(loaded)} of ${formatBytes(plan.bytes)} · ${there} of ${formatCount(plan.blobs, 'blob')}`
  }
  const schedule = (): void => void (frame ??= requestAnimationFrame(draw))

  function drawRow(digest: string, { descriptor, status }: BlobEvent): void {
    let row = rows.get(digest)
    if (row === undefined) {
      const name = names.get(digest) ?? nameOf(descriptor.mediaType)
      row = { name: element('span', { text: name }), status: element('span') }
      rows.set(digest, row)
      const label = element(
        'span',
        { className: 'name' },
        row.name,
        document.createTextNode(' '),
        element('code', { text: shortenDigest(digest), title: digest, className: 'quiet' }),
      )
      find('blobs').append(
        element(
          'li',
          {},
          label,
          copyButton(`the digest of ${name}`, () => digest),
          element('span', { text: formatBytes(descriptor.size), className: 'size' }),
          row.status,
        ),
      )
    }
    const isLeft = isStopped && (status === 'waiting' || status === 'active')
    row.status.textContent = isLeft ? 'not sent' : WORDS[status]
    row.status.className = status === 'exists' || status === 'mounted' ? 'status won' : 'status'
  }

  function count(): { there: number; skipped: number; all: number } {
    const states = [...blobs.values()].map(({ status }) => status)
    const skipped = states.filter((status) => status === 'exists' || status === 'mounted').length
    const sent = states.filter((status) => status === 'done').length
    return { there: skipped + sent, skipped, all: plan.blobs }
  }

  schedule()
  return {
    update(event) {
      if (isStopped) return
      if (event.type === 'plan') plan = event
      if (event.type === 'blob') blobs.set(event.descriptor.digest, event)
      text = undefined
      schedule()
    },
    setNames(given) {
      names = given
    },
    setText(given) {
      text = given
      schedule()
    },
    stop(given) {
      isStopped = true
      text = given
      draw()
    },
    count,
  }
}
