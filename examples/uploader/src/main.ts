/** The page: chosen files become an application, the application goes to a registry. */
import type { App } from 'spindle/app'
import { formatCall } from './call.ts'
import { listenForFiles, type Chosen } from './chooser.ts'
import { listenToCopy } from '../../page/copy-button.ts'
import {
  chooseDemo,
  isDemoChosen,
  listenToDestination,
  readDestination,
  setRelay,
  suggestReference,
} from './destination.ts'
import { readConfig } from '../../page/config.ts'
import { find } from '../../page/dom.ts'
import { showCancelled, showFailure } from './failure.ts'
import { showLoadFailure } from './findings.ts'
import { createProgress } from './progress.ts'
import { showResult } from './result.ts'
import { isSigning, listenToSigning } from './signing.ts'
import { announce, currentState, enterState } from './state.ts'
import { showSummary } from './summary.ts'
import { transfer } from './transfer.ts'

let chosen: { readonly app: App; readonly argument: string } | undefined
/** Of the work under way: a reading or a push, never both. */
let controller: AbortController | undefined

async function read({ load, argument }: Chosen): Promise<void> {
  // Dropped in the middle, or picked in a dialogue that was open when the push began.
  if (currentState() === 'pushing') {
    const again = argument === 'event.dataTransfer' ? 'drop' : 'choose'
    return announce(
      `A push is running, so that was not taken. Cancel it first, or ${again} it again when it is done.`,
    )
  }
  controller?.abort()
  const own = (controller = new AbortController())
  enterState('reading', 'Reading the files …')
  try {
    const app = await load(own.signal)
    if (controller !== own) return
    chosen = { app, argument }
    showSummary(app)
    const { name, version } = app
    if (argument === 'sample' && find<HTMLInputElement>('reference').value === '') chooseDemo()
    suggestReference(name, version)
    showPushHint()
    enterState('ready', `${name} is ready. Say where to, then push.`)
    find('reference').focus()
  } catch (error) {
    if (controller !== own) return
    chosen = undefined
    showPushHint()
    if (own.signal.aborted) return enterState('empty', 'Stopped reading. Choose an application.')
    enterState('invalid', showLoadFailure(error))
    find('findings-title').focus()
  }
}

async function start(): Promise<void> {
  if (currentState() === 'pushing') return
  if (chosen === undefined) {
    showPushHint()
    find('folder').focus()
    return
  }
  const destination = readDestination()
  if (destination === undefined) return
  const { app, argument } = chosen
  const isSigned = isSigning()
  const own = (controller = new AbortController())
  const progress = createProgress()
  find('call').textContent = formatCall(argument, destination, isSigned)
  enterState('pushing', `Pushing to ${destination.reference} …`)
  find('cancel').focus()
  try {
    const result = await transfer(app, destination, {
      signal: own.signal,
      isSigned,
      onProgress: progress.update,
      onNames: progress.setNames,
      onSigning: () => progress.setText('Signing …'),
    })
    progress.stop(describe(progress.count()))
    enterState('done', showResult(result, destination, progress.count()))
    find('result-title').focus()
  } catch (error) {
    progress.stop(describe(progress.count()))
    if (own.signal.aborted) enterState('cancelled', showCancelled(progress.count()))
    else enterState('failed', showFailure(error, destination))
    find('failure-title').focus()
  }
}

function describe({
  there,
  skipped,
  all,
}: ReturnType<ReturnType<typeof createProgress>['count']>): string {
  if (all === 0) return 'Nothing was sent.'
  return `${there} of ${all} blobs are there, ${there - skipped} sent, ${skipped} were there already.`
}

function showPushHint(): void {
  find('push-hint').textContent = chosen === undefined ? 'Choose an application first.' : ''
}

/** So that a page that was opened goes on working without a network. */
function fetchTheRest(): void {
  const all = () => [
    import('spindle/push'),
    import('spindle/sign'),
    import('./demo-registry.ts'),
    import('spindle/copy'),
    import('../../page/content-store.ts'),
    import('../../page/sample.ts'),
  ]
  // What fails here is asked for again when it is needed, and reported then.
  void Promise.allSettled(all()).then(() => (document.body.dataset['prepared'] = 'true'))
}

for (const link of document.querySelectorAll<HTMLAnchorElement>('a[data-page="playground"]')) {
  const { playground } = readConfig()
  if (playground === undefined) link.hidden = true
  else link.href = playground
}
listenToDestination()
listenToSigning()
listenForFiles((next) => void read(next))
listenToCopy(find<HTMLButtonElement>('copy-code'), () => find('call').textContent ?? '')
find('form').addEventListener('submit', (event) => {
  event.preventDefault()
  void start()
})
find('cancel').addEventListener('click', () => controller?.abort())
find('retry').addEventListener('click', () => void start())
find('through-relay').addEventListener('click', () => {
  setRelay(readConfig().relay ?? '')
  void start()
})
find('use-demo').addEventListener('click', () => {
  chooseDemo()
  if (chosen !== undefined) {
    const { name, version } = chosen.app
    suggestReference(name, version)
  }
  void start()
})
addEventListener('keydown', (event) => {
  if (event.key === 'Escape') controller?.abort()
})
// Leaving in the middle loses the upload; leaving at rest asks nothing.
addEventListener('beforeunload', (event) => {
  if (currentState() === 'pushing') event.preventDefault()
})
enterState('empty', isDemoChosen() ? 'Choose an application.' : 'Choose an application to begin.')
showPushHint()
setTimeout(fetchTheRest, 1000)
