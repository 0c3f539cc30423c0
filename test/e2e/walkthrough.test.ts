import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSigstoreInstance, type SigstoreInstance } from '../../mocks/sigstore/instance.ts'
import { listen, type Listener } from '../../src/node/listen/listen.ts'
import { readDocument } from '../docs/blocks.ts'
import { buildProgram, root } from '../cli/built-program.ts'
import { missingRegistry, type RegistryProcess, startRegistry } from './docker-registry-process.ts'
import { freePort } from './free-port.ts'
import { openTerminal, type Terminal } from './terminal.ts'
import { createNames, type Names, parseTranscript } from './transcript.ts'

function missingTools(): string | undefined {
  if (missingRegistry !== undefined) return missingRegistry
  const missing = ['htpasswd', 'skopeo', 'curl', 'bash'].filter((program) => {
    try {
      execFileSync('which', [program], { stdio: 'ignore' })
      return false
    } catch {
      return true
    }
  })
  return missing.length === 0 ? undefined : `not installed: ${missing.join(', ')}`
}
const missing = missingTools()
if (missing !== undefined) console.log(`left out: the walkthrough, ${missing}`)

/** Logs in as Docker does, and keeps the login where Docker does. */
const DOCKER = `#!/bin/sh
REGISTRY_AUTH_FILE="$HOME/.docker/config.json" exec skopeo "$@" --tls-verify=false
`

/** How far a transfer is, which a slow machine says and a fast one has no time for. */
const withoutProgress = (text: string): string => text.replace(/^\w+: \d+ of \d+ blobs, .*\n/gm, '')

describe.skipIf(missing !== undefined)('the walkthrough', () => {
  const home = mkdtempSync(join(tmpdir(), 'spindle-walkthrough-'))
  const listeners: Listener[] = []
  const terminals = new Map<string, Terminal>()
  let registry: RegistryProcess
  let names: Names
  let env: Record<string, string>

  beforeAll(async () => {
    const { folder } = await buildProgram()
    registry = await startRegistry({
      htpasswd: execFileSync('htpasswd', ['-Bbn', 'alyssa', 'hunter2'], { encoding: 'utf8' }),
    })
    writeFileSync(join(folder, 'bin', 'docker'), DOCKER)
    chmodSync(join(folder, 'bin', 'docker'), 0o755)
    mkdirSync(join(home, '.docker'))
    const sigstore = await createSigstoreInstance()
    writeFileSync(join(home, 'root.json'), JSON.stringify(sigstore.trustedRoot()))
    cpSync(join(root, 'examples/hello'), join(home, 'hello-world'), { recursive: true })
    env = {
      PATH: `${join(folder, 'bin')}:${process.env['PATH']}`,
      HOME: home,
      REGISTRY_TOKEN: 'hunter2',
      COSIGN_PASSWORD: 'hunter3',
      SIGSTORE_ID_TOKEN: await sigstore.issueToken(),
      SPIN_HTTP_LISTEN_ADDR: '127.0.0.1:0',
    }
    names = createNames(
      {
        'localhost:5000': registry.host,
        '127.0.0.1:8000': `127.0.0.1:${await freePort()}`,
        '127.0.0.1:8080': `127.0.0.1:${await freePort()}`,
        ...(await serveSigstore(sigstore)),
      },
      {
        'sha256:06b19': { pattern: 'sha256:[0-9a-f]{64}' },
        'sha256:0ac1d': { pattern: 'sha256:[0-9a-f]{64}' },
        'sha256:5173a': { pattern: 'sha256:[0-9a-f]{64}' },
        '127.0.0.1:3000': { pattern: '127\\.0\\.0\\.1:\\d+', again: true },
      },
    )
  }, 60_000)
  afterAll(async () => {
    for (const terminal of terminals.values()) await terminal.close()
    for (const listener of listeners) await listener.close()
    await registry?.stop()
    rmSync(home, { recursive: true, force: true })
  })

  /** Its services behind ports of this machine, by their addresses. */
  async function serveSigstore({ fetch }: SigstoreInstance): Promise<Record<string, string>> {
    const addresses: Record<string, string> = {}
    for (const name of ['fulcio', 'rekor', 'timestamp']) {
      const origin = `https://${name}.sigstore.test`
      const listener = await listen({
        fetch: async (request) => {
          const { pathname, search } = new URL(request.url)
          const body = request.body === null ? null : await request.arrayBuffer()
          const { method, headers } = request
          return fetch(new Request(`${origin}${pathname}${search}`, { method, headers, body }))
        },
      })
      listeners.push(listener)
      addresses[origin] = listener.url
    }
    return addresses
  }

  function terminalOf(name: string): Terminal {
    const terminal = terminals.get(name) ?? openTerminal(join(home, 'hello-world'), env)
    terminals.set(name, terminal)
    return terminal
  }

  it('prints what the page says, command by command', async () => {
    const steps = parseTranscript(readDocument('docs/walkthrough.md'))
    for (const { terminal: name, command, lines, code, runsOn } of steps) {
      const terminal = terminalOf(name)
      const printed =
        command === '^C'
          ? await terminal.interrupt()
          : await terminal.type(
              names.fill(command),
              runsOn ? (text) => names.match(lines, withoutProgress(text)) : undefined,
            )
      const isAsTold = command === '^C' || names.match(lines, withoutProgress(printed.text))
      const told = `$ ${command}\n${isAsTold ? printed.text : names.fill(lines.join('\n'))}`
      expect(`$ ${command}\n${printed.text}`).toBe(told)
      expect(printed.code, `the exit code of ${command}`).toBe(runsOn ? undefined : code)
    }
  }, 300_000)
})
