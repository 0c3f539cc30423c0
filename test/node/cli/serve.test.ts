import { createServer } from 'node:net'
import { expect, it } from 'vitest'
import { Interrupted } from '../../../src/node/cli/io.ts'
import { createSession } from './session.ts'

it('serves a registry until it is stopped, and ends well', async () => {
  const stop = new AbortController()
  let answered = 0
  const run = await createSession().runWith(
    {
      signal: stop.signal,
      onStdout: (text) => {
        const { url } = JSON.parse(text) as { url: string }
        void fetch(`${url}/v2/`).then((response) => {
          answered = response.status
          stop.abort(new Interrupted('SIGINT'))
        })
      },
    },
    ...['serve', '--address', '127.0.0.1:0', '--json'],
  )
  expect(run).toMatchObject({ code: 0, stderr: '' })
  expect(answered).toBe(200)
})

it('says where it serves, and warns when others may write', async () => {
  const stop = new AbortController()
  const run = await createSession().runWith(
    { signal: stop.signal, onStdout: () => stop.abort(new Interrupted('SIGINT')) },
    ...['serve', '--address', '0.0.0.0:0'],
  )
  expect(run.stdout).toMatch(/^Serving an OCI registry on http:\/\/0\.0\.0\.0:\d+\n$/)
  expect(run.stderr).toContain('may push and delete')
})

it('fails when the address is taken', async () => {
  const other = createServer()
  await new Promise<void>((done) => other.listen(0, '127.0.0.1', done))
  const { port } = other.address() as { port: number }
  const run = await createSession().run('serve', '--address', `127.0.0.1:${port}`)
  await new Promise((done) => other.close(done))
  expect(run).toMatchObject({ code: 1, stdout: '' })
  expect(run.stderr).toContain(`can't listen on 127.0.0.1:${port}`)
  expect(run.stderr).toContain('EADDRINUSE')
})
