import type { FetchHandler } from '../../types.ts'
import { listen, type ListenOptions } from '../listen.ts'
import type { Address } from './arguments.ts'
import { CommandError, type CliIo } from './io.ts'

interface ServePlace extends Address, Pick<ListenOptions, 'tls'> {
  /** The flag that names another address. Default `--address`. */
  readonly flag?: string
}

/** Listens, says so, and serves until the user wants to stop. */
export async function serveUntilStopped(
  handler: FetchHandler,
  { host, port, tls, flag = '--address' }: ServePlace,
  io: CliIo,
  onListening: (url: string) => void,
): Promise<void> {
  const listener = await listen(handler, {
    host,
    port,
    ...(tls === undefined ? {} : { tls }),
  }).catch((cause: unknown) => {
    throw new CommandError(`can't listen on ${host}:${port}; name another with ${flag}`, {
      cause,
    })
  })
  onListening(listener.url)
  await new Promise<void>((done) => {
    if (io.signal.aborted) done()
    io.signal.addEventListener('abort', () => done(), { once: true })
  })
  await listener.close()
}

/** Whether only this machine reaches it. */
export function isLocal({ host }: Address): boolean {
  return /^(?:127\.|localhost$|::1$)/.test(host)
}
