import { spawn, type ChildProcess } from 'node:child_process'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

describe('npm start', { timeout: 240_000 }, () => {
  let child: ChildProcess
  const addresses = new Map<string, string>()
  const said: string[] = []
  const ended = (): Promise<number | null> =>
    new Promise((resolve) => child.once('exit', (code) => resolve(code)))

  beforeAll(async () => {
    child = spawn(process.execPath, ['examples/start.mjs', '--port', '0'], { cwd: root })
    await new Promise<void>((resolve, reject) => {
      child.once('exit', () => reject(new Error(said.join(''))))
      child.stderr?.on('data', (data: Buffer) => said.push(data.toString()))
      child.stdout?.on('data', (data: Buffer) => {
        said.push(data.toString())
        if (said.join('').includes('Ctrl+C')) resolve()
      })
    })
    for (const line of said.join('').split('\n')) {
      const [, name, address] = /^(\w+) +(http:\S+)/.exec(line) ?? []
      // Node does not take every name below `localhost` to this machine, as browsers do.
      if (name !== undefined && address !== undefined)
        addresses.set(name, address.replace(/\/\/(?:\*\.)?spindle\.localhost/, '//127.0.0.1'))
    }
  }, 240_000)
  afterAll(() => child?.kill('SIGKILL'))

  const ask = (name: string, path = '', init?: RequestInit): Promise<Response> =>
    fetch(new URL(path, addresses.get(name)), init)

  it('serves both pages, each under its strict policy', async () => {
    for (const name of ['uploader', 'playground']) {
      const response = await ask(name)
      expect(response.headers.get('content-security-policy')).toBe("frame-ancestors 'none'")
      const html = await response.text()
      expect(html).toContain("default-src 'none'; script-src 'self'")
      expect(html).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\bstyle=|\son\w+=|%[A-Z]+%/)
    }
  })

  it('takes an address without its slash to the page, with what the link says', async () => {
    const response = await ask('playground', '/playground?ref=a/b:1', { redirect: 'manual' })
    expect(response.headers.get('location')).toMatch(/\/playground\/\?ref=a\/b:1$/)
  })

  it('serves the registry and the Bindle server to the pages, and to no other page', async () => {
    const page = new URL(addresses.get('playground') ?? '').origin
    for (const [name, path] of [
      ['registry', '/v2/'],
      ['bindle', '/v1/_q'],
    ] as const) {
      const own = await ask(name, path, { headers: { Origin: page } })
      expect(own.status).toBe(200)
      expect(own.headers.get('access-control-allow-origin')).toBe(page)
      const other = await ask(name, path, { headers: { Origin: 'https://other.example' } })
      expect(other.headers.get('access-control-allow-origin')).not.toBe('https://other.example')
    }
  })

  it('lets the pages write to both, and no other page', async () => {
    const page = new URL(addresses.get('playground') ?? '').origin
    for (const [name, path, status] of [
      ['registry', '/v2/a/blobs/uploads/', 202],
      // Without an invoice, but let in.
      ['bindle', '/v1/_i', 415],
    ] as const) {
      const write = async (origin: string): Promise<number> =>
        (await ask(name, path, { method: 'POST', headers: { Origin: origin } })).status
      expect(await write(page)).toBe(status)
      expect(await write('https://other.example')).toBe(403)
      expect(await write('null')).toBe(403)
    }
  })

  it('has a relay for its own pages alone', async () => {
    const foreign = await ask('relay', '/relay/ghcr.io/v2/', {
      headers: { Origin: 'https://other.example' },
    })
    expect(foreign.status).toBe(403)
  })

  it('has nothing on the origin of previews but the bridge', async () => {
    expect((await ask('previews', '/spindle-preview.html')).status).toBe(200)
    expect((await ask('previews', '/spindle-preview-service-worker.js')).status).toBe(200)
    expect((await ask('previews', '/')).status).toBe(404)
    expect((await ask('previews', '/main.js')).status).toBe(404)
  })

  it('ends when it is told to', async () => {
    const end = ended()
    child.kill('SIGINT')
    expect(await end).toBe(0)
  })
})
