import { stringLiteral } from '../../page/source-text.ts'
import type { Destination } from './destination.ts'

/** The code that does what this page just did. Secrets are names in it, never values. */
export function formatCall(argument: string, to: Destination, isSigned: boolean): string {
  const options = [
    ...(to.credentials === undefined ? [] : ['credentials: { username, password }']),
    ...(to.isDemo ? ['fetch: registry.fetch'] : []),
    ...(to.relay === undefined ? [] : [`fetch: createRelayFetch(${stringLiteral(to.relay)})`]),
    'signal',
  ]
  const lines = [
    `import { loadApp } from 'spindle/app'`,
    `import { push } from 'spindle/push'`,
    ...(to.isDemo ? [`import { createRegistryHandler } from 'spindle/serve'`] : []),
    ...(to.relay === undefined ? [] : [`import { createRelayFetch } from 'spindle'`]),
    ...(isSigned ? [`import { createKeySigner, generateKeyPair, sign } from 'spindle/sign'`] : []),
    '',
    ...(to.isDemo ? ['const registry = createRegistryHandler()'] : []),
    `const remote = { ${options.join(', ')} }`,
    `const app = await loadApp(${argument}, { signal })`,
    `const { reference } = await push(app, ${stringLiteral(to.reference)}, { ...remote, onProgress })`,
    ...(isSigned
      ? [
          'const signer = await createKeySigner(await generateKeyPair())',
          'await sign(reference, signer, remote)',
        ]
      : []),
  ]
  return lines.join('\n')
}
