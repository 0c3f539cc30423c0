import { expect, it } from 'vitest'
import { collect } from '../registry/artifacts.ts'
import { openHostile } from '../registry/hostile.ts'

function listTags(link: string): Promise<string[]> {
  const registry = openHostile(() => Response.json({ tags: ['a'] }, { headers: { link } }))
  return collect(registry.tags())
}

it('a list that goes on at another server is not followed there', async () => {
  const away = listTags('<https://evil.test/v2/a/tags/list>; rel="next"')
  await expect(away).rejects.toMatchObject({ code: 'ERR_RESPONSE' })
})

it('a list that goes round and round ends', async () => {
  expect(await listTags('</v2/a/tags/list?last=a>; rel="next"')).toEqual(['a'])
})
