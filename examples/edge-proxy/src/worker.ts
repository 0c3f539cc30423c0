import { WorkerEntrypoint } from 'cloudflare:workers'
import { createWorkerHost, toWorkerCode } from 'spindle/worker-loader'
import type { WorkerCode } from 'spindle/worker-loader'
import { createEdge } from './edge.ts'
import type { Context, Edge } from './edge.ts'
import { logAppLine } from './log.ts'
import type { Env } from './settings.ts'
import { createValues } from './values.ts'

interface LoaderEnv extends Env {
  readonly LOADER: {
    get(
      id: string,
      code: () => Promise<WorkerCode>,
    ): { getEntrypoint(): { fetch(request: Request): Promise<Response> } }
  }
}

interface LoaderContext extends Context {
  readonly exports: { AppHost(options: object): { fetch(request: Request): Promise<Response> } }
}

/** What the loaded application asks of this Worker. Nobody else can reach it. */
export class AppHost extends WorkerEntrypoint<Env> {
  fetch(request: Request): Promise<Response> {
    const keyValue = createValues(this.env.VALUES)
    return createWorkerHost({ keyValue, onLog: logAppLine }).fetch(request)
  }
}

/** Components run in a Worker of their own, which the Worker Loader makes of what was pulled. */
const edge: Edge<LoaderEnv, LoaderContext> = createEdge(async (app, { variables }, env) => {
  // Other values make another Worker: they are part of it.
  const id = `${app.descriptor.digest} ${JSON.stringify(variables)}`
  return (request, context) =>
    env.LOADER.get(id, () => toWorkerCode(app, { variables, host: context.exports.AppHost({}) }))
      .getEntrypoint()
      .fetch(request)
})

export default edge
