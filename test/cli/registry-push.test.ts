import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { hello } from './hello.ts'
import { createSession, interrupted } from './session.ts'
import { createRegistry, REF, writeApp } from './small-app.ts'

describe('registry push', () => {
  it("says Spin's words, and the same digest each time; a second push writes only the tag, if that", async () => {
    const registry = createRegistry()
    const session = createSession(registry.fetch)
    const first = await session.run('registry', 'push', '-f', hello, REF)
    expect(first).toMatchObject({ code: 0 })
    expect(first.stdout).toMatch(
      /^Pushing app to the Registry\.\nPushed with digest sha256:[0-9a-f]{64}\n$/,
    )
    expect(first.stderr).toMatch(/^\d+ blobs \(.* kB\) sent\n$/)
    registry.writes.length = 0
    const second = await session.runWith({ cwd: join(hello, 'static') }, 'oci', 'push', REF)
    expect(second.stdout).toBe(first.stdout)
    expect(
      registry.writes.filter((write) => !write.startsWith('PUT /v2/team/hello/manifests/')),
    ).toEqual([])
  })

  it('answers with JSON alone when asked to', async () => {
    const session = createSession(createRegistry().fetch)
    const { code, stdout } = await session.run(
      'registry',
      'push',
      '--json',
      '--file',
      join(hello, 'spin.toml'),
      REF,
    )
    expect(code).toBe(0)
    const answer = JSON.parse(stdout) as {
      reference: string
      tag: string
      descriptor: { digest: string }
      sent: number
    }
    expect(answer).toMatchObject({
      tag: '1',
      reference: `localhost:5000/team/hello@${answer.descriptor.digest}`,
    })
    expect(answer.sent).toBeGreaterThan(0)
  })

  it('writes annotations and the time when they are given', async () => {
    const session = createSession(createRegistry().fetch)
    await session.run(
      'registry',
      'push',
      '-f',
      hello,
      '--annotation',
      'a=1',
      '--annotation',
      'b=x=y',
      '--created',
      '0',
      REF,
    )
    const { stdout } = await session.run('registry', 'manifest', REF)
    expect(JSON.parse(stdout)).toMatchObject({
      annotations: {
        a: '1',
        b: 'x=y',
        'org.opencontainers.image.created': expect.stringMatching(/^1970-01-01T00:00:00/),
      },
    })
  })

  it('shows every finding with its place', async () => {
    const session = createSession(createRegistry().fetch)
    writeApp(session, { 'spin.toml': 'spin_manifest_version = 2\n[application]\nnome = "x"\n' })
    const { code, stdout, stderr } = await session.run(
      'registry',
      'push',
      '-f',
      session.path('app'),
      REF,
    )
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain('error[ERR_APP_INVALID]: ')
    expect(stderr).toMatch(/spin\.toml:3:1/)
    expect(stderr).toContain('nome')
  })

  it('shows the place of what is no TOML, once', async () => {
    const session = createSession(createRegistry().fetch)
    const app = writeApp(session, { 'spin.toml': 'spin_manifest_version = 2\nso it is\n' })
    const { stderr } = await session.run('registry', 'push', '-f', app, REF)
    expect(stderr.split('so it is')).toHaveLength(2)
  })

  it.each([
    [['-f', 'nowhere'], 'there is no file or folder "nowhere"'],
    [['-f', '.'], 'has no spin.toml'],
  ])('fails for %j', async (flags, message) => {
    const { code, stderr } = await createSession(createRegistry().fetch).run(
      'registry',
      'push',
      ...flags,
      REF,
    )
    expect(code).toBe(1)
    expect(stderr).toContain(message)
  })

  it('refuses what can’t be composed, unless the host shall do it', async () => {
    const session = createSession(createRegistry().fetch)
    const app = writeApp(session)
    const manifest = readFileSync(join(app, 'spin.toml'), 'utf8')
    writeFileSync(
      join(app, 'spin.toml'),
      `${manifest}[component.main.dependencies]\n"a:b/c" = { path = "dep.wasm" }\n`,
    )
    writeFileSync(join(app, 'dep.wasm'), Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0))
    for (const flags of [[], ['--compose=true']]) {
      const { code, stderr } = await session.run('registry', 'push', '-f', app, ...flags, REF)
      expect({ code, stderr }).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/ERR_UNSUPPORTED.*"main".*--compose=false/s),
      })
    }
    const { code } = await session.run('registry', 'push', '-f', app, '--compose=false', REF)
    expect(code).toBe(0)
    expect((await session.run('registry', 'push', '-f', hello, '--compose=true', REF)).code).toBe(0)
  })

  it('builds first when asked to, through the shell, in the given folder', async () => {
    const session = createSession(createRegistry().fetch)
    const app = writeApp(session)
    const manifest = readFileSync(join(app, 'spin.toml'), 'utf8')
    mkdirSync(join(app, 'src'))
    writeFileSync(
      join(app, 'spin.toml'),
      `${manifest}[component.main.build]\ncommand = ["echo one && echo $((1 + 1)) > ../static/built.txt", "echo done"]\nworkdir = "src"\n`,
    )
    const run = await session.run('registry', 'push', '--build', '-f', app, REF)
    expect(run).toMatchObject({ code: 0 })
    expect(run.stderr).toContain(
      'Building component main with `echo done`\ndone\nFinished building all Spin components\n',
    )
    await session.run('registry', 'pull', REF, '-o', session.path('out'))
    expect(readFileSync(session.path('out/assets/main/built.txt'), 'utf8')).toBe('2\n')
  })

  it('pushes nothing when a build fails', async () => {
    const registry = createRegistry()
    const session = createSession(registry.fetch)
    const app = writeApp(session)
    writeFileSync(
      join(app, 'spin.toml'),
      `${readFileSync(join(app, 'spin.toml'), 'utf8')}[component.main.build]\ncommand = "exit 7"\n`,
    )
    session.env['SPIN_ALWAYS_BUILD'] = '1'
    const { code, stderr } = await session.run('registry', 'push', '-f', app, REF)
    expect(code).toBe(1)
    expect(stderr).toContain(
      'build failed: the build command of component main ended with exit code 7',
    )
    expect(registry.writes).toEqual([])
  })

  it('stops at Ctrl-C with 130 and leaves no tag', async () => {
    const registry = createRegistry()
    const session = createSession(registry.fetch)
    const { code, stderr } = await session.runWith(
      { signal: interrupted() },
      'registry',
      'push',
      '-f',
      hello,
      REF,
    )
    expect(code).toBe(130)
    expect(stderr).toContain('stopped by SIGINT')
    expect(registry.writes).toEqual([])
  })

  it('draws a bar on a terminal, and takes it away again', async () => {
    const session = createSession(createRegistry().fetch)
    const { stderr, stdout } = await session.runWith(
      { tty: true },
      'registry',
      'push',
      '-f',
      hello,
      REF,
    )
    expect(stderr).toMatch(/ 0 % {2}0 of \d+ blobs/)
    expect(stdout).toMatch(/^Pushing app to the Registry\.\nPushed with digest/)
    const narrow = await session.runWith(
      { tty: true, columns: 40 },
      'registry',
      'push',
      '-f',
      hello,
      'localhost:5000/narrow:1',
    )
    // eslint-disable-next-line no-control-regex
    const drawn = narrow.stderr.replace(/\u001b\[[?\d;]*[A-Za-z]/g, '').split('\n')
    expect(drawn[0]).toMatch(/^Pushing ─+ {3}0 % {2}0 of \d+ blobs$/)
    expect(drawn[0]!.length).toBeLessThanOrEqual(40)
    session.env['NO_COLOR'] = '1'
    const plain = await session.runWith(
      { tty: true },
      'registry',
      'push',
      '-f',
      hello,
      'localhost:5000/other:1',
    )
    // eslint-disable-next-line no-control-regex
    expect(plain.stderr).not.toMatch(/\u001b\[\d*m/)
  })

  it('bounds the files that the manifest names by --max-files, and those only', async () => {
    const session = createSession(createRegistry().fetch)
    const app = writeApp(session, {})
    for (const name of ['a', 'b', 'c', 'd']) {
      writeFileSync(join(app, 'static', name), name)
      writeFileSync(join(app, name), name)
    }
    const manifest = readFileSync(join(app, 'spin.toml'), 'utf8')
    const push = ['registry', 'push', '-f', app, '--max-files', '3', REF]
    writeFileSync(join(app, 'spin.toml'), manifest.replace(/^files = .*$/m, 'files = ["static/a"]'))
    expect(await session.run(...push)).toMatchObject({ code: 0 })
    writeFileSync(join(app, 'spin.toml'), manifest.replace(/^files = .*$/m, 'files = ["static/*"]'))
    const { code, stderr } = await session.run(...push)
    expect(code).toBe(1)
    expect(stderr).toMatch(/more than 3 files[^]*--max-files/)
  })

  it('uses downloaded components from the cache when they are still what the manifest says', async () => {
    const wasm = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])
    const digest = '93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476'
    const registry = createRegistry()
    let downloads = 0
    const session = createSession(async (request) => {
      if (!request.url.startsWith('https://files.test/')) return registry.fetch(request)
      downloads++
      return new Response(wasm)
    })
    const app = writeApp(session, {})
    const manifest = readFileSync(join(app, 'spin.toml'), 'utf8').replace(
      '"main.wasm"',
      `{ url = "https://files.test/main.wasm", digest = "sha256:${digest}" }`,
    )
    writeFileSync(join(app, 'spin.toml'), manifest)
    const push = ['registry', 'push', '-f', app, '--cache-dir', session.path('kept'), REF]
    expect(await session.run(...push)).toMatchObject({ code: 0 })
    expect(await session.run(...push)).toMatchObject({ code: 0 })
    expect(downloads).toBe(1)
    writeFileSync(session.path(`kept/registry/wasm/sha256:${digest}`), 'damaged')
    expect(await session.run(...push)).toMatchObject({ code: 0 })
    expect(downloads).toBe(2)
  })
})
