import type { BindleClient } from '../bindle/client.ts'
import type { Invoice } from '../bindle/invoice.ts'
import { pushStandalone, type PushStandaloneOptions } from '../bindle/push-standalone.ts'
import type { Ed25519Key } from '../bytes/ed25519.ts'
import { signInvoice } from '../bindle/signature.ts'
import type { App } from '../spin/source/app.ts'
import { appToBindle, type ToBindleOptions } from '../spin/bindle/to-bindle.ts'

/** Options of `pushBindle`. */
export interface PushBindleOptions extends PushStandaloneOptions, ToBindleOptions {
  /** Signs the invoice as its creator; servers from version 0.9 require that. */
  signer?: {
    /** Secret key. */
    readonly key: Ed25519Key
    /** Name of the signer, as in `Jane Doe <jane@team.example>`. */
    readonly by: string
  }
}

/**
 * Pushes an application to a Bindle server, as `spin bindle push` did.
 *
 * Exported from `spindle/bindle`. The next push
 * resumes an interrupted one.
 *
 * @example Push to a local Bindle server
 * ```ts
 * const client = createBindleClient('http://127.0.0.1:8000/v1')
 * const { bindle } = await pushBindle(app, client)
 * console.log(`pushed: ${bindle.name}/${bindle.version}`)
 * ```
 * @returns The invoice as stored by the server.
 * @throws as `appToBindle` and `pushStandalone`
 */
export async function pushBindle(
  app: App,
  client: BindleClient,
  options: PushBindleOptions = {},
): Promise<Invoice> {
  const bindle = await appToBindle(app, options)
  const { signer } = options
  const invoice =
    signer === undefined
      ? bindle.invoice
      : await signInvoice(bindle.invoice, signer.key, { role: 'creator', by: signer.by })
  return (await pushStandalone(client, { ...bindle, invoice }, options)).invoice
}
