import { createAppHandler } from 'spindle/run'
import { modules } from '../app/modules.js'
import { createEdge } from './edge.ts'
import type { Context, Edge } from './edge.ts'
import { logAppLine } from './log.ts'
import type { Env } from './settings.ts'
import { createValues } from './values.ts'

/**
 * Components run in this Worker, from modules that were bound when it was deployed: no loader is
 * needed. All else of an application is what the reference means now, so a release whose
 * WebAssembly is the same goes live by itself, and any other waits for the next deployment.
 */
const edge: Edge<Env, Context> = createEdge(
  async (app, { variables }, env) => {
    const contexts = new WeakMap<Request, Context>()
    const handler = await createAppHandler(app, {
      variables,
      compile(_, digest) {
        const module = modules[digest]
        if (module !== undefined) return module
        throw new Error(
          `${digest} is not bound: run "npx spindle build-worker" for ${app.descriptor.digest} into a new folder app, and deploy again`,
        )
      },
      keyValue: createValues(env.VALUES),
      onLog: logAppLine,
      clientAddress: addressOf,
      waitUntil: (work, request) => contexts.get(request)?.waitUntil(work),
    })
    return (request, context) => {
      contexts.set(request, context)
      return handler.fetch(request)
    }
  },
  `\n${Object.keys(modules).toSorted().join('\n')}`,
)

export default edge

/** The platform's word: it overwrites what a client sends. The port is not known. */
function addressOf(request: Request): string {
  const ip = request.headers.get('cf-connecting-ip') ?? '0.0.0.0'
  return `${ip.includes(':') ? `[${ip}]` : ip}:0`
}
