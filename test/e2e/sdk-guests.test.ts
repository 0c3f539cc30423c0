import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { buildProgram } from '../cli/built-program.ts'
import { itHasSdkGuest, sdkGuests, SDK_VARIABLE, UPSTREAM_ANSWER } from '../run/sdk-cases.ts'
import { CANT_WAIT } from '../run/waiting.ts'
import { startUp } from './start-up.ts'

const major = Number(process.versions.node.split('.')[0])
/** The command starts Node.js 24 with what it needs for waiting; 20 and 22 don't have it. */
const waits = major >= 24

let program: string
let folder: string
let upstream: Server
let address: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'spindle-sdk-'))
  program = (await buildProgram()).main
  upstream = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => response.end(UPSTREAM_ANSWER(Buffer.concat(chunks).toString())))
  })
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  address = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
})
afterAll(() => {
  upstream.close()
  rmSync(folder, { recursive: true })
})

function write(name: string, wasm: Uint8Array, executor = '{ type = "http" }'): string {
  const app = join(folder, name)
  mkdirSync(join(app, 'data'), { recursive: true })
  writeFileSync(join(app, 'data/a.txt'), 'a file')
  writeFileSync(join(app, 'guest.wasm'), wasm)
  writeFileSync(
    join(app, 'spin.toml'),
    `spin_manifest_version = 2
[application]
name = "${name}"
[variables]
who = { default = "you" }
[[trigger.http]]
route = "/..."
component = "guest"
executor = ${executor}
[component.guest]
source = "guest.wasm"
files = [{ source = "data", destination = "/data" }]
environment = { FOO = "bar" }
key_value_stores = ["default"]
sqlite_databases = ["default"]
allowed_outbound_hosts = ["${address}"]
[component.guest.variables]
greeting = "${SDK_VARIABLE}"
`,
  )
  return app
}

describe('guests of the public SDKs, run by `spindle up`', () => {
  for (const guest of sdkGuests)
    itHasSdkGuest(guest, async (wasm) => {
      const app = await startUp(program, write(guest.name, wasm, guest.executor))
      if (guest.extendedConstants === true && major < 22) {
        expect(app.url).toBeUndefined()
        return expect(app.output()).toMatch(/ERR_UNSUPPORTED.*Node\.js 22/s)
      }
      const seen: unknown[] = []
      const wanted: unknown[] = []
      for (const { path, body, status = 200, answer, waits: mustWait } of guest.cases) {
        const response = await fetch(`${app.url}${path.replace('UPSTREAM', address)}`, {
          ...(body !== undefined && { method: 'POST', body }),
        })
        seen.push([path, response.status, await response.text()])
        if (mustWait === true && !waits) {
          wanted.push([path, 500, ''])
          expect(app.output()).toMatch(CANT_WAIT)
        } else
          wanted.push([
            path,
            status,
            answer instanceof RegExp ? expect.stringMatching(answer) : answer,
          ])
      }
      await app.stop()
      expect(seen, app.output()).toEqual(wanted)
    })
})
