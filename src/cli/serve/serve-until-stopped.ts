import type { FetchHandler } from '../../types.ts'
import { listen, type ListenOptions } from '../../node/listen/listen.ts'
import type { Address } from '../terminal/arguments.ts'
import { CommandError, type CliIo } from '../terminal/io.ts'
import { type ListenFlags, listenLimits } from './listen-flags.ts'

interface ServePlace extends Address {
  readonly tls?: ListenOptions['tls']
  /** Default: those of `listen`. */
  readonly allowedHosts?: readonly string[] | undefined
  /** Default: those of `listen`. */
  readonly limits?: ListenFlags
  /** See `listen`. */
  readonly http2?: boolean
  /** The flag that names another address. Default `--address`. */
  readonly flag?: string
}

/** Listens, reports the URL, and serves until the user stops the command. */
export async function serveUntilStopped(
  handler: FetchHandler,
  { host, port, tls, allowedHosts, limits = {}, http2 = false, flag = '--address' }: ServePlace,
  io: CliIo,
  onListening: (url: string) => void,
): Promise<void> {
  const listener = await listen(handler, {
    host,
    port,
    ...listenLimits(limits),
    http2,
    ...(tls === undefined ? {} : { tls }),
    ...(allowedHosts === undefined ? {} : { allowedHosts }),
  }).catch((cause: unknown) => {
    throw new CommandError(
      `cannot listen on ${host}:${port}; choose another address with ${flag}`,
      {
        cause,
      },
    )
  })
  onListening(listener.url)
  await new Promise<void>((done) => {
    if (io.signal.aborted) done()
    io.signal.addEventListener('abort', () => done(), { once: true })
  })
  await listener.close()
}
