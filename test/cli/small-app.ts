import { createMemoryStorage } from '../../src/serve/storage/memory.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import type { FetchLike } from '../../src/types.ts'
import { manifestOf } from '../fixtures/manifest.ts'
import type { Session } from './session.ts'

export const REF = 'localhost:5000/team/hello:1'

/** A registry that counts what changes it. */
export function createRegistry(): { fetch: FetchLike; writes: string[] } {
  const { fetch } = createRegistryHandler({ storage: createMemoryStorage() })
  const writes: string[] = []
  return {
    writes,
    fetch: (request) => {
      if (!['GET', 'HEAD'].includes(request.method))
        writes.push(`${request.method} ${new URL(request.url).pathname}`)
      return fetch(request)
    },
  }
}

/** A small application with files in it, in the folder `app`. */
export function writeApp(
  session: Session,
  files: Readonly<Record<string, string | Uint8Array>> = {},
): string {
  const more = 'files = [{ source = "static", destination = "/" }]'
  session.write('app/spin.toml', manifestOf({ name: 'small', source: 'main.wasm', more }))
  // With a custom section that makes it too long to stand in the lock.
  const section = [0, 200, 1, 1, 120, ...Array<number>(198).fill(0)]
  session.write('app/main.wasm', Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...section))
  session.write('app/static/ünï/deep/er.txt', 'x'.repeat(500))
  session.write('app/static/small.txt', 'tiny')
  for (const [path, content] of Object.entries(files)) session.write(`app/${path}`, content)
  return session.path('app')
}
