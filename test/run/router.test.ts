import { describe, expect, it } from 'vitest'
import { cpuTime } from '../fixtures/cpu-time.ts'
import { createRouter, effectiveRoute } from '../../src/run/http/router.ts'

const router = (routes: readonly string[], base = '/') =>
  createRouter(
    base,
    routes.map((route) => ({ route, target: route })),
  )

const pick = (routes: readonly string[], path: string): unknown => {
  const match = router(routes).match(path)
  return match === undefined
    ? undefined
    : [match.route.raw, match.pathInfo, Object.fromEntries(match.params)]
}

describe('the router', () => {
  it.each([
    // As Spin's documentation and tests have them.
    [['/', '/...'], '/', ['/', '', {}]],
    [['/', '/...'], '/x/y/', ['/...', '/x/y/', {}]],
    [['/a', '/a/...'], '/a/', ['/a', '', {}]],
    [['/a/...'], '/a', ['/a/...', '', {}]],
    [['/a/...'], '/a/', ['/a/...', '/', {}]],
    [['/:v/x', '/a/...'], '/a/x', ['/a/...', '/x', {}]],
    [['/:v', '/...'], '/q', ['/:v', '', { v: 'q' }]],
    [['/...', '/:v'], '/q/r', ['/...', '/q/r', {}]],
    // A literal is a whole segment.
    [['/a/...'], '/ab', undefined],
    [['/a'], '/a/b', undefined],
    [['/foo'], '/Foo', undefined],
    [['/foo/:v'], '/foo/', undefined],
    [['/foo/:v/bar'], '/foo/x%2Fy/bar', ['/foo/:v/bar', '', { v: 'x%2Fy' }]],
    [['/foo/bar'], '/foo//bar', undefined],
    [['/foo/...'], '/foo//bar', ['/foo/...', '//bar', {}]],
    // Dots.
    [['/a.b'], '/a.b', ['/a.b', '', {}]],
    [['/:file.:ext'], '/x.tar.gz', ['/:file.:ext', '', { file: 'x', ext: 'tar.gz' }]],
    [['/:file.:ext'], '/x.gz', ['/:file.:ext', '', { file: 'x', ext: 'gz' }]],
    [['/:file', '/:file.:ext'], '/x.gz', ['/:file.:ext', '', { file: 'x', ext: 'gz' }]],
    [['/:file'], '/x.gz', ['/:file', '', { file: 'x.gz' }]],
    // What stands in the middle is no wildcard.
    [['/.../x'], '/.../x', ['/.../x', '', {}]],
    [['/.../x'], '/a/x', undefined],
    [['/x/*'], '/x/y', ['/x/*', '/y', {}]],
    [['/api/:a', '/api/b', '/:x/b'], '/api/b', ['/api/b', '', {}]],
    [['/:x/b', '/api/:a'], '/api/b', ['/api/:a', '', { a: 'b' }]],
    [['/:a', '/:b'], '/q', ['/:a', '', { a: 'q' }]],
    [[], '/', undefined],
  ] as const)('%j and %s', (routes, path, expected) => {
    expect(pick(routes, path)).toEqual(expected)
  })

  it.each([
    ['/', '/', '/'],
    ['/', '/...', '/...'],
    ['/', 'hello', '/hello'],
    ['/', '/hello/', '/hello'],
    ['/base', '/', '/base'],
    ['/base/', '/x/...', '/base/x/...'],
  ])('puts base %s before %s', (base, route, effective) => {
    expect(effectiveRoute(base, route)).toBe(effective)
  })

  it.each(['/:', '/a/:/b', '/*name'])('refuses %s', (route) => {
    expect(() => router([route])).toThrow(/route ".*" is invalid/)
  })

  it('lets a later trigger take a route over, at its place', () => {
    const twice = createRouter('/', [
      { route: '/a', target: 1 },
      { route: '/b', target: 2 },
      { route: '/a', target: 3 },
    ])
    expect(twice.match('/a')?.route.target).toBe(3)
    expect(twice.duplicates).toEqual([{ route: '/a', replaced: 1, effective: 3 }])
  })

  it('is quick with hostile paths', () => {
    const long = router(['/:a.:b.:c.:d/...', '/x/:y/z'])
    const started = cpuTime()
    long.match(`/${'.'.repeat(100_000)}`)
    long.match(`/${'/'.repeat(100_000)}x`)
    long.match(`/${'a/'.repeat(100_000)}`)
    long.match(`/a${'/'.repeat(100_000)}b`)
    expect(cpuTime() - started).toBeLessThan(500)
  })
})
