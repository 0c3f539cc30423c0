// Spindle and a Bindle server, in a process of its own: from a folder, or into one.
import process from 'node:process'
import { loadApp } from '../../dist/index.js'
import { createBindleClient, prepareBindle, pullBindle, pushBindle } from '../../dist/bindle.js'
import { createNodeHasher, openDirectory, writeDirectory } from '../../dist/node.js'
import { say } from '../process.mjs'

const [action, folder, place, id] = process.argv.slice(2)
const before = process.resourceUsage().maxRSS * 1024
const createHasher = createNodeHasher

/** Reports, and the longest time without one, in milliseconds: what somebody who waits sees. */
let reports = 0
let last = performance.now()
let silence = 0
const onProgress = () => {
  reports++
  silence = Math.max(silence, performance.now() - last)
  last = performance.now()
}
let requests = 0
const clientOf = (url) =>
  createBindleClient(url, {
    fetch(request) {
      requests++
      return fetch(request)
    },
  })

const actions = {
  async prepare() {
    const app = await loadApp(await openDirectory(folder))
    await writeDirectory(place, await prepareBindle(app, { createHasher, onProgress }))
  },
  async push() {
    const app = await loadApp(await openDirectory(folder))
    await pushBindle(app, clientOf(place), { createHasher, onProgress })
  },
  async pull() {
    const options = { createHasher, onProgress }
    const app = await pullBindle({ client: clientOf(place), id }, options)
    for (const component of app.locked.components)
      await writeDirectory(folder, await app.files(component.id, options))
  },
}

const started = performance.now()
await actions[action]()
const seconds = (performance.now() - started) / 1000
say({ seconds, requests, before, reports, silence })
