import { readdirSync, readFileSync, statSync } from 'node:fs'
import type { PulledApp } from '../../src/spin/artifact/pulled-app.ts'
import { pulledApp } from './pulled-app.ts'

export { pulledApp, type FixtureComponent } from './pulled-app.ts'

const root = new URL('../../', import.meta.url)

export function bytesOfFile(path: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(path, root)))
}

export function helloApp(): PulledApp {
  const folder = 'examples/hello/static/'
  const names = readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' }).filter(
    (name) => statSync(new URL(folder + name, root)).isFile(),
  )
  return pulledApp(
    {
      hello: {
        wasm: bytesOfFile('examples/hello/hello.wasm'),
        fileTree: new Map(names.map((name) => [`static/${name}`, bytesOfFile(folder + name)])),
        config: { greeting: '{{ greeting }}' },
      },
    },
    [
      { route: '/...', component: 'hello' },
      { route: '/hello/:name', component: 'hello' },
    ],
    { variables: { greeting: { default: 'Hello' } } },
  )
}
