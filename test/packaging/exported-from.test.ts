import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { manifest, notBuilt, root, specifierOf, subpaths } from './installed.ts'

describe.skipIf(notBuilt !== undefined)('doc comments', () => {
  it('say truly where a thing is exported from', () => {
    const declared = new Map(
      subpaths.map((subpath) => {
        const entry = manifest.exports[subpath] as { types: string }
        return [specifierOf(subpath), join(root, entry.types)] as const
      }),
    )
    const program = ts.createProgram([...declared.values()], { noEmit: true, skipLibCheck: true })
    const checker = program.getTypeChecker()
    const exported = new Map(
      [...declared].map(([specifier, path]) => {
        const module = checker.getSymbolAtLocation(program.getSourceFile(path)!)!
        const names = checker.getExportsOfModule(module).map(({ name }) => name)
        return [specifier, new Set(names)] as const
      }),
    )
    const paths = execFileSync('git', ['ls-files', 'src', 'mocks'], { cwd: root, encoding: 'utf8' })
    const claims = paths
      .split('\n')
      .filter((path) => path.endsWith('.ts'))
      .flatMap((path) =>
        [
          ...readFileSync(join(root, path), 'utf8').matchAll(
            /\/\*\*((?:(?!\*\/).)*?)\*\/\nexport (?:async )?(?:function\*?|const|class|interface|type) (\w+)/gs,
          ),
        ].flatMap(([, comment = '', name = '']) => {
          const said = /Exported from ([^.]*?)\./s.exec(comment)?.[1] ?? ''
          const specifiers = [...said.matchAll(/`(spindle\/[\w-]+)`/g)].map((match) => match[1]!)
          if (said.includes('main entry point')) specifiers.push('spindle')
          return specifiers.map((specifier) => ({ name, specifier }))
        }),
      )
    expect(claims.length).toBeGreaterThan(50)
    expect(claims.filter(({ name, specifier }) => !exported.get(specifier)?.has(name))).toEqual([])
  })
})
