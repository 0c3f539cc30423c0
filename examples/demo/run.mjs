import { pull } from 'spindle'
import { createBindleClient, pullBindle, pushBindle } from 'spindle/bindle'
import { createAppHandler } from 'spindle/run'
import { createBindleHandler } from 'spindle/serve'
import { loadBindleApp } from './bindle.mjs'

/** What was pulled answers requests, and answers the same wherever it came from. */
export async function tell({ directory, place, tag, remote, meter, say, timed, assert }) {
  const { fetch } = createBindleHandler({ createHasher: remote.createHasher })
  const client = createBindleClient('http://bindle.example/v1', {
    fetch,
    insecure: ['bindle.example'],
  })
  const { bindle } = await pushBindle(await loadBindleApp(directory), client)
  const id = `${bindle.name}/${bindle.version}`
  const target = `${place.name}/spindle-hello:${tag}`

  const fromRegistry = await ask(await pull(target, remote))
  say('run', `${target}, from the registry`)
  for (const line of fromRegistry.lines) say('', line)
  const fromBindle = await ask(await pullBindle({ client, id }))
  say('run', `${id}, from Bindle`)
  for (const line of fromBindle.lines) say('', line)
  meter.take()
  assert(
    fromBindle.lines.slice(1).join() === fromRegistry.lines.slice(1).join(),
    'the application answers otherwise, depending on where it came from',
  )

  /** A page, a static file and a JSON answer: one line each. */
  async function ask(app) {
    const started = await timed(() => createAppHandler(app, { variables: { greeting: 'Moin' } }))
    const handler = started.result
    const get = async (path) => {
      const response = await handler.fetch(new Request(`http://127.0.0.1${path}`))
      assert(response.status === 200, `${path} is answered with ${response.status}`)
      return { type: response.headers.get('content-type'), text: await response.text() }
    }
    const page = await get('/')
    const file = await get('/static/icon.svg')
    const json = await get('/api?from=demo')
    const title = /<title>(.*?)<\/title>/.exec(page.text)?.[1]
    assert(title !== undefined, 'the page has no title')
    assert(JSON.parse(json.text).greeting === 'Moin', 'the variable did not reach the component')
    return {
      lines: [
        `started in ${started.time}`,
        `GET /                 ${page.type}: ${title}`,
        `GET /static/icon.svg  ${file.type}: ${file.text.length} characters`,
        `GET /api?from=demo    ${json.type}: ${json.text.trim()}`,
      ],
    }
  }
}
