import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildUploader } from '../../examples/uploader/build.mjs'

/** Bytes, minified and gzipped, of what opening the page fetches before it can be used. A loose ceiling. */
const OPENING = 80_000
/** And of all of it: pushing, composing, signing, the registry in the page and the sample application too. */
const ALL = 185_000

describe('the uploader page', () => {
  const folder = mkdtempSync(join(tmpdir(), 'spindle-uploader-size-'))
  const gzipped = (name: string): number =>
    gzipSync(readFileSync(join(folder, name)), { level: 9 }).length
  let opening: readonly string[]

  beforeAll(async () => {
    const { metafile } = await buildUploader(folder)
    const outputs = new Map(
      Object.entries(metafile.outputs).map(([path, output]) => [basename(path), output]),
    )
    const reached = new Set(['main.js'])
    for (const name of reached) {
      for (const { path, kind } of outputs.get(name)?.imports ?? []) {
        if (kind === 'import-statement') reached.add(basename(path))
      }
    }
    opening = [...reached, 'index.html', 'uploader.css', 'icon.svg']
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('opens with 80 kB, library included', () => {
    const size = opening.reduce((sum, name) => sum + gzipped(name), 0)
    console.log(`uploader: ${(size / 1000).toFixed(1)} kB min+gz to open`)
    expect(size).toBeLessThanOrEqual(OPENING)
  })

  it('has little more to fetch for all that it can do', () => {
    const size = readdirSync(folder).reduce((sum, name) => sum + gzipped(name), 0)
    console.log(`uploader: ${(size / 1000).toFixed(1)} kB min+gz with everything`)
    expect(size).toBeLessThanOrEqual(ALL)
  })

  it('runs no inline script or style', () => {
    const html = readFileSync(join(folder, 'index.html'), 'utf8')
    expect(html).toContain("script-src 'self'; style-src 'self'")
    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\bstyle=|\son\w+=/)
  })
})
