/** The page: a reference becomes an application, the application answers in a frame of its own. */
import { readConfig } from '../../page/config.ts'
import { emptyContentStore } from '../../page/content-store.ts'
import { element, find } from '../../page/dom.ts'
import { formatBytes, formatCount, shortenDigest } from '../../page/format.ts'
import { createStates } from '../../page/state.ts'
import { firstPath, showApp } from './app-panel.ts'
import { listenToComposer } from './composer.ts'
import type { Exchange } from './exchanges.ts'
import { showFailure } from './failure.ts'
import { createInspector } from './inspector.ts'
import { labelOf } from './label.ts'
import { keepPage } from './keep-page.ts'
import { createLogPanel } from './log-panel.ts'
import { showNetwork, type NetworkPanel } from './network-panel.ts'
import { openApp, openSample, type OpenOptions, type Opened, type Wanted } from './open-app.ts'
import { linkOf, listenToForm, readForm, setReference, setRelay } from './open-form.ts'
import { chooseTemplate, prepareOrigin } from './preview.ts'
import { createOwnOrigins } from './own-origins.ts'
import { createMeter, showProgress } from './pull-progress.ts'
import { forgetRecents } from './recents.ts'
import { showRecents } from './recents-panel.ts'
import { startSession, type Session } from './session.ts'
import { createTabs } from './tabs.ts'
import { showValues } from './values-panel.ts'
import { showVariables, type VariablesPanel } from './variables-panel.ts'

type State = 'empty' | 'opening' | 'needs' | 'running' | 'failed'

const config = readConfig()
const template = chooseTemplate(config.preview, location.hostname)
const states = createStates<State>((state) => {
  find<HTMLFieldSetElement>('fields').disabled = state === 'opening'
})
const tabs = createTabs(find('tabs'))
const inspector = createInspector()
const log = createLogPanel()

/** Of the opening under way. */
let controller: AbortController | undefined
/** Of what is done ahead, until something is opened. */
const preparing = new AbortController()
let current: { opened: Opened; variables: VariablesPanel; network: NetworkPanel } | undefined
let session: Session | undefined
let lastWanted: Wanted | undefined
/** Somebody writes in the address bar: a page that was loaded meanwhile does not write over it. */
let isTyping = false
/** What a link said to look at first; counts once. */
let firstLook: string | null = new URLSearchParams(location.search).get('path')

async function open(
  wanted: Wanted | undefined,
  load: (options: OpenOptions) => Promise<Opened>,
  what: string,
): Promise<void> {
  controller?.abort()
  preparing.abort()
  const own = (controller = new AbortController())
  lastWanted = wanted
  closeSession()
  history.replaceState(null, '', wanted === undefined ? '?sample' : linkOf(wanted))
  showProgress(undefined)
  states.enter('opening', `Opening ${what} …`)
  find('cancel').focus()
  try {
    const opened = await load({ signal: own.signal, onProgress: createMeter() })
    if (controller !== own) return
    showOpened(opened)
    await run()
  } catch (error) {
    if (controller === own) fail(error)
  }
}

function fail(error: unknown): void {
  if (controller?.signal.aborted === true) {
    states.enter('empty', 'Stopped. What had come already is kept.')
    find('reference').focus()
    return
  }
  states.enter('failed', showFailure(error, lastWanted))
  find('failure-title').focus()
}

/** All that is known before anything runs. */
function showOpened(opened: Opened): void {
  const { image, reference, key, from, verified, note } = opened
  const { locked, descriptor } = image
  const name = String(locked.metadata?.['name'] ?? 'app')
  inspector.clear()
  log.clear()
  log.setComponents(locked.components.map(({ id }) => id))
  const network = showNetwork(
    locked,
    key,
    createOwnOrigins(location.href, lastWanted?.relay ?? config.relay),
  )
  const variables = showVariables(locked, key, () => void restart())
  current = { opened, variables, network }
  find('app-name').textContent = `${name} ${String(locked.metadata?.['version'] ?? '')}`.trim()
  const total = [...image.contents.values()].reduce((sum, { length }) => sum + length, 0)
  const words = {
    registry: 'from the registry',
    relay: 'through the relay',
    kept: 'kept in this browser',
    sample: 'part of this page',
  }
  find('app-facts').replaceChildren(
    document.createTextNode(
      `${formatCount(locked.components.length, 'component')} · ${formatBytes(total)} · ${words[from]} · `,
    ),
    element('code', { text: shortenDigest(descriptor.digest), title: descriptor.digest }),
  )
  find('app-reference').textContent = reference
  find('signed').hidden = verified === undefined
  find('signed').textContent = `✓ signed by ${verified ?? ''}`
  find('note').hidden = note === undefined
  find('note').textContent = note ?? ''
  showApp(image, go)
}

/** @throws what keeps it from running. */
async function run(): Promise<void> {
  if (current === undefined) return
  const { opened, variables, network } = current
  const missing = variables.missing()
  const name = find('app-name').textContent ?? ''
  if (missing.length > 0) {
    tabs.select('tab-variables')
    states.enter('needs', `${name} needs a value for ${missing.join(', ')} before it starts.`)
    variables.focus()
    return
  }
  if (template === undefined)
    throw new TypeError('this page was built without an origin for previews: see its README')
  states.enter('opening', `Starting ${name} …`)
  const values = showValues(opened.image.locked, `spindle-playground/${opened.key}`)
  const { signal } = (controller ??= new AbortController())
  session = await startSession({
    image: opened.image,
    values: `spindle-playground/${opened.key}`,
    variables: variables.values,
    preview: { template, label: await labelOf(opened.key) },
    signal,
    onExchange: showExchange,
    onLog: log.add,
    onOutbound: network.decide,
    onStored: () => void values.refresh(),
    onReplaced: showReplaced,
    onMoved(path, title) {
      if (path !== '' && !isTyping) showAddress(path)
      find('page-title').textContent = title
    },
  })
  states.enter('running', `${name} runs.`)
  find('address').focus()
  go(firstLook ?? firstPath(opened.image.locked))
  firstLook = null
}

function showExchange(exchange: Exchange): void {
  inspector.show(exchange)
  if (exchange.request.isNavigation !== true) return
  const { response, duration, failure } = exchange
  find('page-status').textContent =
    failure !== undefined
      ? 'failed'
      : response === undefined
        ? 'waiting …'
        : `${response.status} · ${(duration ?? 0).toFixed(0)} ms`
}

function showReplaced(): void {
  find('status').textContent =
    'The application gave no sign of life: it was ended and started anew. The tab “Logs” says more.'
}

let restarts = 0

async function restart(): Promise<void> {
  const own = ++restarts
  try {
    if (session === undefined) return await run()
    if ((current?.variables.missing() ?? []).length > 0) return current?.variables.focus()
    current?.network.cancel()
    await session.restart()
    if (own !== restarts) return
    find('status').textContent = 'Started anew.'
    go(find<HTMLInputElement>('address').value)
  } catch (error) {
    // Asked for once more meanwhile: that one counts.
    if (own !== restarts) return
    closeSession()
    fail(error)
  }
}

function closeSession(): void {
  current?.network.cancel()
  session?.close()
  session = undefined
}

function go(path: string): void {
  const wanted = path.startsWith('/') ? path : `/${path}`
  isTyping = false
  showAddress(wanted)
  find('page-status').textContent = 'waiting …'
  session?.preview.go(wanted)
}

function showAddress(path: string): void {
  find<HTMLInputElement>('address').value = path
  const link = new URL(location.href)
  if (current !== undefined && path !== firstPath(current.opened.image.locked))
    link.searchParams.set('path', path)
  else link.searchParams.delete('path')
  history.replaceState(null, '', link)
}

function openRecent(reference: string): void {
  setReference(reference)
  openForm()
}

function openForm(): void {
  const wanted = readForm()
  if (wanted !== undefined) openWanted(wanted)
}

function openWanted(wanted: Wanted): void {
  void open(wanted, (options) => openApp(wanted, options), wanted.reference)
}

function openTheSample(): void {
  void open(undefined, openSample, 'the sample')
}

/** So that the page, once opened, opens and works without a network too. */
async function prepare(): Promise<void> {
  await keepPage()
  const label = await labelOf('sample')
  if (template !== undefined && states.current() === 'empty')
    await prepareOrigin(template, label, preparing.signal).catch(() => {})
  document.body.dataset['prepared'] = 'true'
}

const unsent = listenToForm(openWanted)
listenToComposer(
  (request) => session?.ask(request) ?? Promise.reject(new Error('nothing runs')),
  () => session?.preview.origin,
)
find('sample').addEventListener('click', openTheSample)
find('cancel').addEventListener('click', () => controller?.abort())
find('retry').addEventListener('click', () =>
  lastWanted === undefined ? openTheSample() : openForm(),
)
find('use-relay').addEventListener('click', () => {
  setRelay(config.relay ?? '')
  openForm()
})
find('restart').addEventListener('click', () => void restart())
find('address').addEventListener('input', () => (isTyping = true))
find('address-form').addEventListener('submit', (event) => {
  event.preventDefault()
  go(find<HTMLInputElement>('address').value)
})
find('forget').addEventListener('click', async () => {
  await emptyContentStore()
  forgetRecents()
  showRecents(openRecent)
  find('status').textContent = 'Nothing is kept any more.'
  find('reference').focus()
})
addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && states.current() === 'opening') controller?.abort()
})
for (const link of document.querySelectorAll<HTMLAnchorElement>('a[data-page="uploader"]')) {
  if (config.uploader === undefined) link.hidden = true
  else link.href = config.uploader
}
showRecents(openRecent)
states.enter('empty', 'Say which application, or try the sample.')
const link = new URLSearchParams(location.search)
if (link.has('ref')) {
  openForm()
  if (unsent !== undefined) setReference(unsent)
} else if (link.has('sample')) openTheSample()
setTimeout(() => void prepare(), 1000)
