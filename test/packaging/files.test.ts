import { execFileSync, spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { manifestOf } from '../fixtures/manifest.ts'
import { installPackage, manifest, notBuilt, root, specifierOf, subpaths } from './installed.ts'

describe.skipIf(notBuilt !== undefined)('the tarball', () => {
  const installed = installPackage(['msw'])

  it('holds the built subpaths, what they share, and papers', () => {
    const expected = new Set(['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'])
    for (const target of Object.values(manifest.exports)) {
      if (typeof target === 'string') continue
      expected.add(target.default.slice(2)).add(target.types.slice(2))
    }
    // The thread that `spindle up` starts: a file of its own that nobody imports.
    expected.add('dist/app-worker.js')
    for (const path of Object.values(manifest.bin ?? {})) expected.add(path.replace(/^\.\//, ''))
    const shared = /^dist\/(?:chunk|[a-z0-9-]+)-[A-Z0-9a-z_-]{8}\.(?:js|d\.ts)$/
    const files = installed.files.filter((path) => expected.has(path) || !shared.test(path))
    expect(files.toSorted()).toEqual([...expected].toSorted())
  })

  it('imports every subpath, and shares one copy of what they share', () => {
    const script = `
      const names = {}
      for (const specifier of ${JSON.stringify(subpaths.map(specifierOf))}) {
        const module = await import(specifier)
        names[specifier] = Object.keys(module)
      }
      const barrel = await import(${JSON.stringify(manifest.name)})
      const doubled = []
      for (const specifier of Object.keys(names)) {
        const module = await import(specifier)
        for (const name of names[specifier]) {
          if (name in barrel && barrel[name] !== module[name]) doubled.push(specifier + ' ' + name)
        }
      }
      console.log(JSON.stringify({ names, doubled }))`
    const output = execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
      cwd: installed.directory,
      encoding: 'utf8',
    })
    const { names, doubled } = JSON.parse(output) as {
      names: Record<string, string[]>
      doubled: string[]
    }
    expect(Object.keys(names).filter((specifier) => names[specifier]?.length === 0)).toEqual([])
    expect(doubled).toEqual([])
  })

  it('runs an application with SQLite, as it is installed', async () => {
    const folder = join(installed.directory, 'with-sqlite')
    mkdirSync(folder)
    copyFileSync(join(root, 'test/guests/sqlite.wasm'), join(folder, 'sqlite.wasm'))
    const rows = { name: 'rows', source: 'sqlite.wasm', more: 'sqlite_databases = ["default"]' }
    writeFileSync(join(folder, 'spin.toml'), manifestOf(rows))
    const bin = join(installed.directory, 'node_modules', manifest.name, 'dist/cli.js')
    const up = spawn(process.execPath, [bin, 'up', '-f', folder, '--listen', '127.0.0.1:0'])
    onTestFinished(() => void up.kill())
    let said = ''
    up.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    const url = await vi.waitFor(() => {
      const [found] = /http:\/\/[\d.:]+/.exec(said) ?? []
      if (found === undefined) throw new Error(said)
      return found
    }, 20_000)
    expect(await (await fetch(`${url}/default`)).text()).toContain("real 150|x'y|blob|null|")
    expect(existsSync(join(folder, '.spin/sqlite_db.db'))).toBe(true)
  })

  it('has bins that say how to use them', () => {
    for (const path of Object.values(manifest.bin ?? {})) {
      const bin = join(installed.directory, 'node_modules', manifest.name, path)
      expect(readFileSync(bin, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
      expect(execFileSync(process.execPath, [bin, '--help'], { encoding: 'utf8' })).toContain(
        manifest.name,
      )
    }
  })
})
