import { loadApp } from 'spindle'
import { createNodeHasher, createNodeKeychain, openDirectory } from 'spindle/node'
import { createCounter, createMeter } from './meters.mjs'
import { assert, say, timed } from './telling.mjs'

/**
 * What a chapter is given: `app`, made of `directory`; `place`, the registry; `tag`, new for each
 * run; `remote`, the options for whatever speaks to the registry; `counter` and `meter`, which
 * watch that; and the helpers `say`, `timed` and `assert`.
 */
export async function createContext(place, directory) {
  const counter = createCounter()
  const meter = createMeter()
  const remote = {
    fetch: counter.fetch,
    createHasher: createNodeHasher,
    insecure: place.url.protocol === 'http:' ? [place.url.host] : [],
    onProgress: meter.onProgress,
    ...(place.own ? {} : { credentials: createNodeKeychain() }),
  }
  const app = await loadApp(await openDirectory(directory))
  const tag = `demo-${Date.now().toString(36)}`
  return { app, directory, place, tag, remote, counter, meter, say, timed, assert }
}
