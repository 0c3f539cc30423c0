import { loadApp, resolve } from 'spindle'
import {
  createBindleClient,
  migrateBindle,
  parseStandalone,
  prepareBindle,
  pullBindle,
  pushBindle,
} from 'spindle/bindle'
import { listen, readDirectory, writeDirectory } from 'spindle/node'
import { createBindleHandler } from 'spindle/serve'
import { compare, inFolder, writeOut } from './compare.mjs'

/** The application as it was written when there was Bindle, which has one trigger for a component. */
const MANIFEST = `spin_version = "1"
name = "hello"
version = "1.0.0"
trigger = { type = "http" }
[variables]
greeting = { default = "Hello" }
[[component]]
id = "hello"
source = "hello.wasm"
files = [{ source = "static", destination = "static" }]
[component.trigger]
route = "/..."
[component.config]
greeting = "{{ greeting }}"
`

/** @param {string} directory */
export async function loadBindleApp(directory) {
  const manifest = new TextEncoder().encode(MANIFEST)
  return loadApp(new Map([...(await readDirectory(directory)), ['spin.toml', manifest]]))
}

/** The application goes to a Bindle server, comes back, and moves to the registry. */
export async function tell({ directory, place, tag, remote, counter, meter, say, timed, assert }) {
  const app = await loadBindleApp(directory)
  const server = await listen(createBindleHandler({ createHasher: remote.createHasher }))
  try {
    say('bindle', `${server.url}/v1 (in this process)`)
    const client = createBindleClient(`${server.url}/v1`, { fetch: counter.fetch })
    await inFolder(async (folder) => {
      await writeDirectory(folder, await prepareBindle(app))
      const standalone = await parseStandalone(await readDirectory(folder))
      const { id, parcels } = standalone
      say('prepared', `${id}: ${parcels.size} parcels in a standalone bindle`)

      const { createHasher, onProgress } = remote
      const options = { createHasher, onProgress }
      const first = await timed(() => pushBindle(app, client, options))
      say('pushed', `${id}: ${meter.take().text}; ${counter.take().text}; ${first.time}`)
      const again = await timed(() => pushBindle(app, client, options))
      const second = meter.take()
      assert(second.sent === 0, `the second push sent ${second.sent} parcels again`)
      say('pushed again', `${second.text}; ${counter.take().text}; ${again.time}`)

      await inFolder(async (out) => {
        const pulled = await timed(async () => {
          await writeOut(await pullBindle({ client, id }, options), out)
        })
        meter.take()
        say('pulled', `${id}: ${counter.take().text}; ${pulled.time}`)
        say('compared', await compare(app, out))
      })

      const target = `${place.name}/spindle-from-bindle:${tag}`
      const moved = await timed(() => migrateBindle({ client, id }, target, remote))
      say('migrated', `to ${target}`)
      say('', `${meter.take().text}; ${counter.take().text}; ${moved.time}`)
      const offline = await migrateBindle(standalone, target, remote)
      const there = await resolve(target, remote)
      assert(offline.status === 'exists', 'the standalone bindle made another artifact')
      assert(there.digest === moved.result.descriptor.digest, 'the registry has another digest')
      say('compared', `server, standalone bindle and registry: ${there.digest}`)
    })
  } finally {
    await server.close()
  }
}
