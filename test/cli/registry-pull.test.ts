import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createSession, type Session } from './session.ts'
import { createRegistry, REF, writeApp } from './small-app.ts'

describe('registry pull', () => {
  async function pushed(): Promise<Session> {
    const session = createSession(createRegistry().fetch)
    expect(await session.run('registry', 'push', '-f', writeApp(session), REF)).toMatchObject({
      code: 0,
    })
    return session
  }

  it('writes what was pushed, byte for byte, into a new folder', async () => {
    const session = await pushed()
    const out = session.path('new/out')
    const run = await session.run('registry', 'pull', REF, '-o', out)
    expect(run).toMatchObject({
      code: 0,
      stdout: 'Pulling app from the Registry.\nSuccessfully pulled the app from the registry\n',
    })
    expect(run.stderr).toMatch(/^5 files \(.*\) written to /)
    const files = readdirSync(out, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    )
    const paths = files
      .map((entry) => join(entry.parentPath, entry.name).slice(out.length + 1))
      .sort()
    expect(paths).toEqual([
      'assets/main/small.txt',
      'assets/main/ünï/deep/er.txt',
      'locked.json',
      'main.wasm',
      'manifest.json',
    ])
    expect(readFileSync(join(out, 'main.wasm'))).toEqual(
      readFileSync(session.path('app/main.wasm')),
    )
    expect(readFileSync(join(out, 'assets/main/ünï/deep/er.txt'), 'utf8')).toBe('x'.repeat(500))
    expect(JSON.parse(readFileSync(join(out, 'locked.json'), 'utf8'))).toMatchObject({
      components: [{ id: 'main' }],
    })
    expect(readdirSync(dirname(out))).toEqual(['out'])
  })

  it('touches no folder that has something in it', async () => {
    const session = await pushed()
    session.write('mine/keep.txt', 'mine')
    const run = await session.run('registry', 'pull', REF, '-o', session.path('mine'))
    expect(run).toMatchObject({ code: 1, stdout: '' })
    expect(run.stderr).toContain('is not empty')
    expect(readdirSync(session.path('mine'))).toEqual(['keep.txt'])
    const ontoFile = await session.run('registry', 'pull', REF, '-o', session.path('mine/keep.txt'))
    expect(ontoFile).toMatchObject({ code: 1, stdout: '' })
    expect(ontoFile.stderr).toContain('keep.txt is a file')
    mkdirSync(session.path('empty'))
    expect(await session.run('registry', 'pull', REF, '-o', session.path('empty'))).toMatchObject({
      code: 0,
    })
  })

  it.each(['layout', 'layout.tar'])('writes an OCI layout to %s', async (name) => {
    const session = await pushed()
    const run = await session.run(
      'registry',
      'pull',
      REF,
      '--json',
      '--oci-layout',
      session.path(name),
    )
    expect(run).toMatchObject({ code: 0, stderr: '' })
    const { descriptor, ociLayout } = JSON.parse(run.stdout) as {
      descriptor: { digest: string }
      ociLayout: string
    }
    expect(ociLayout).toBe(session.path(name))
    const text = readFileSync(
      name === 'layout' ? join(ociLayout, 'index.json') : ociLayout,
      'latin1',
    )
    expect(text).toContain(descriptor.digest)
    const again = await session.run('registry', 'pull', REF, '--oci-layout', session.path(name))
    expect(again.code).toBe(name === 'layout' ? 0 : 1)
  })

  it('without a place to write to fills the cache, which the next pull reads and checks', async () => {
    const registry = createRegistry()
    const gets: string[] = []
    const session = createSession((request) => {
      if (request.method === 'GET' && request.url.includes('/blobs/')) gets.push(request.url)
      return registry.fetch(request)
    })
    await session.run('registry', 'push', '-f', writeApp(session), REF)
    const pull = ['registry', 'pull', REF]
    expect(await session.run(...pull)).toMatchObject({ code: 0, stderr: '' })
    const cache = session.path('cache/spin/registry')
    expect(readdirSync(join(cache, 'wasm'))).toHaveLength(1)
    expect(readdirSync(join(cache, 'data'))).toHaveLength(1)
    gets.length = 0
    await session.run(...pull, '-o', session.path('one'))
    expect(gets).toEqual([])
    const [name = ''] = readdirSync(join(cache, 'data'))
    writeFileSync(join(cache, 'data', name), 'y'.repeat(500))
    await session.run(...pull, '-o', session.path('two'))
    expect(gets).toHaveLength(1)
    expect(readFileSync(session.path('two/assets/main/ünï/deep/er.txt'), 'utf8')).toBe(
      'x'.repeat(500),
    )
  })

  it('says what is missing', async () => {
    const { code, stdout, stderr } = await createSession(createRegistry().fetch).run(
      'registry',
      'pull',
      'localhost:5000/nope:1',
    )
    expect({ code, stdout }).toEqual({ code: 1, stdout: 'Pulling app from the Registry.\n' })
    expect(stderr).toMatch(/^error\[ERR_NOT_FOUND\]: /)
  })
})
