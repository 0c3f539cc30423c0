import { describe, expect, it } from 'vitest'
import { hello } from './hello.ts'
import { createSession } from './session.ts'
import { createRegistry, REF } from './small-app.ts'

describe('registry copy, tags and manifest', () => {
  it('show and move artifacts as they are', async () => {
    const session = createSession(createRegistry().fetch)
    const pushed = await session.run('registry', 'push', '--json', '-f', hello, REF)
    const { digest } = (JSON.parse(pushed.stdout) as { descriptor: { digest: string } }).descriptor
    const copied = await session.run(
      'registry',
      'copy',
      '--referrers',
      `localhost:5000/team/hello@${digest}`,
      'localhost:5000/mirror/hello:2',
    )
    expect(copied).toMatchObject({ code: 0 })
    expect(copied.stdout).toContain(`Copied with digest ${digest}\n`)
    // Within one registry it takes them from its other repository.
    expect(copied.stderr).toMatch(/0 blobs \(0 B\) sent, \d+ mounted\n/)
    await session.run('registry', 'copy', REF, 'localhost:5000/mirror/hello:10')
    expect(await session.run('registry', 'tags', 'localhost:5000/mirror/hello')).toEqual({
      code: 0,
      stdout: '10\n2\n',
      stderr: '',
    })
    const json = await session.run('registry', 'tags', '--json', 'localhost:5000/mirror/hello')
    expect(JSON.parse(json.stdout)).toEqual({
      repository: 'localhost:5000/mirror/hello',
      tags: ['10', '2'],
    })

    const raw = await session.run('registry', 'manifest', 'localhost:5000/mirror/hello:2')
    const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(raw.stdout))
    expect(`sha256:${Buffer.from(hash).toString('hex')}`).toBe(digest)
    const both = JSON.parse((await session.run('registry', 'manifest', '--json', REF)).stdout) as {
      descriptor: object
      manifest: object
    }
    expect(both).toMatchObject({
      descriptor: { digest },
      manifest: JSON.parse(raw.stdout) as object,
    })
    const shown = await session.runWith({ tty: true }, 'registry', 'manifest', REF)
    expect(shown.stdout).toContain('\n  "layers": [')
  })
})
