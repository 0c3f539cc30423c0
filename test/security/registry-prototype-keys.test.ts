import { expect, it } from 'vitest'
import { createClient, OCI_INDEX } from '../serve/registry/client.ts'

// Names that every object already has must be names like any other.
it('takes the keys of prototypes for ordinary names', async () => {
  const client = createClient()
  const subject = `{"mediaType":"${OCI_INDEX}","digest":"sha256:${'0'.repeat(64)}","size":1}`
  const text = `{"schemaVersion":2,"mediaType":"${OCI_INDEX}","manifests":[],"subject":${subject},"annotations":{"__proto__":"p","constructor":"c"},"__proto__":{"layers":[],"config":1}}`
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    expect((await client.send('GET', `/v2/a/manifests/${name}`)).status).toBe(404)
    const headers = { 'Content-Type': OCI_INDEX }
    expect(
      (await client.send('PUT', `/v2/constructor/manifests/${name}`, { headers, body: text }))
        .status,
    ).toBe(201)
    expect(await (await client.send('GET', `/v2/constructor/manifests/${name}`)).text()).toBe(text)
  }
  const listed = await client.send('GET', `/v2/constructor/referrers/sha256:${'0'.repeat(64)}`)
  expect(await listed.text()).toContain('"annotations":{"__proto__":"p","constructor":"c"}')
  expect(({} as Record<string, unknown>)['layers']).toBeUndefined()
})
