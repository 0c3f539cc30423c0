import { fileURLToPath } from 'node:url'

/** The example application that commands push. */
export const hello = fileURLToPath(new URL('../../examples/hello', import.meta.url))

/** Its manifest as such were written when there was Bindle. */
export const OLD_MANIFEST = `spin_version = "1"
name = "hello"
version = "1.0.0"
trigger = { type = "http", base = "/" }
[variables]
greeting = { default = "Hello" }
[[component]]
id = "hello"
source = "hello.wasm"
files = [{ source = "static", destination = "static" }]
[component.trigger]
route = "/..."
[component.config]
greeting = "{{ greeting }}"
`
