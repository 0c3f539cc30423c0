import { describe, expect, it } from 'vitest'
import {
  createProxySelector,
  type ProxySettings,
  readProxyEnvironment,
} from '../../src/node/fetch/proxy.ts'

const PROXY = 'http://proxy.example:3128'

function isProxied(url: string, noProxy: string): boolean {
  const settings = { http: PROXY, https: PROXY, noProxy }
  return createProxySelector(settings)(new URL(url)) !== undefined
}

function proxyOf(url: string, env: Record<string, string>): string | undefined {
  return createProxySelector(readProxyEnvironment(env))(new URL(url))?.shown
}

describe('the environment', () => {
  it.each<[string, Record<string, string>, string | undefined]>([
    ['http://a.example', { HTTP_PROXY: 'http://p:1' }, 'http://p:1 (HTTP_PROXY)'],
    ['https://a.example', { HTTP_PROXY: 'http://p:1' }, undefined],
    ['https://a.example', { HTTPS_PROXY: 'http://p:1' }, 'http://p:1 (HTTPS_PROXY)'],
    ['https://a.example', { https_proxy: 'http://p:1' }, 'http://p:1 (https_proxy)'],
    [
      'http://a.example',
      { http_proxy: 'http://l:1', HTTP_PROXY: 'http://u:1' },
      'http://u:1 (HTTP_PROXY)',
    ],
    ['http://a.example', { HTTP_PROXY: '', http_proxy: 'http://l:1' }, 'http://l:1 (http_proxy)'],
    ['https://a.example', { ALL_PROXY: 'http://p:1' }, 'http://p:1 (ALL_PROXY)'],
    ['http://a.example', { all_proxy: 'http://p:1' }, 'http://p:1 (all_proxy)'],
    [
      'https://a.example',
      { ALL_PROXY: 'http://a:1', HTTPS_PROXY: 'http://p:1' },
      'http://p:1 (HTTPS_PROXY)',
    ],
    ['http://a.example', { HTTP_PROXY: 'p.example:3128' }, 'http://p.example:3128 (HTTP_PROXY)'],
    ['https://a.example', { HTTPS_PROXY: 'https://p.example' }, 'https://p.example (HTTPS_PROXY)'],
    ['https://a.example', { HTTPS_PROXY: 'http://p:1', NO_PROXY: 'a.example' }, undefined],
    ['https://a.example', { HTTPS_PROXY: 'http://p:1', no_proxy: 'a.example' }, undefined],
    ['http://a.example', { HTTP_PROXY: 'http://p:1', REQUEST_METHOD: 'GET' }, undefined],
    [
      'http://a.example',
      { http_proxy: 'http://p:1', REQUEST_METHOD: 'GET' },
      'http://p:1 (http_proxy)',
    ],
    ['https://a.example', {}, undefined],
  ])('%s with %o goes through %s', (url, env, proxy) => {
    expect(proxyOf(url, env)).toBe(proxy)
  })

  it('decodes the user name and password of an address', () => {
    const settings: ProxySettings = { http: 'http://ann:p%40ss%23@p.example:3128' }
    const proxy = createProxySelector(settings)(new URL('http://a.example'))
    expect(proxy?.authorization).toBe(`Basic ${btoa('ann:p@ss#')}`)
  })
})

describe('loopback is reached without a proxy', () => {
  it.each([
    'http://localhost:5000',
    'https://app.localhost',
    'http://127.0.0.1:5000',
    'http://127.8.9.10',
    'http://[::1]:5000',
    'http://[::ffff:127.0.0.1]',
    'http://0x7f.1',
  ])('%s', (url) => {
    expect(isProxied(url, '')).toBe(false)
  })
})

describe('NO_PROXY', () => {
  it.each([
    ['https://a.example', 'a.example'],
    ['https://sub.a.example', 'a.example'],
    ['https://sub.a.example', '.a.example'],
    ['https://sub.a.example', '*.a.example'],
    ['https://A.example.', 'a.EXAMPLE'],
    ['https://a.example', 'x, b.example ,a.example'],
    ['https://a.example', 'x b.example a.example'],
    ['https://a.example:8443', 'a.example:8443'],
    ['https://a.example', 'a.example:443'],
    ['https://a.example', 'a.example:'],
    ['http://a.example', 'a.example:80'],
    ['http://10.1.2.3', '10.1.2.3'],
    ['http://10.1.2.3:5000', '10.1.2.3:5000'],
    ['http://10.1.2.3', '10.0.0.0/8'],
    ['http://[::ffff:10.1.2.3]', '10.0.0.0/8'],
    ['http://[2001:db8::1]', '2001:db8::1'],
    ['http://[2001:db8::1]:5000', '[2001:db8::1]:5000'],
    ['http://[2001:db8::1]', '2001:db8::/32'],
    ['https://bücher.example', 'BÜCHER.example'],
    ['https://anything.example', '*'],
    ['https://anything.example', 'x,*'],
  ])('%s is exempt by %j', (url, noProxy) => {
    expect(isProxied(url, noProxy)).toBe(false)
  })

  it.each([
    ['https://a.example', '.a.example'],
    ['https://a.example', '*.a.example'],
    ['https://nota.example', 'a.example'],
    ['https://a.example.org', 'a.example'],
    ['https://a.example', 'a.example:8443'],
    ['https://a.example:8443', 'a.example:443'],
    ['http://11.1.2.3', '10.0.0.0/8'],
    ['http://10.1.2.3', '10.1.2'],
    ['http://10.1.2.3', '10.0.0.0/33'],
    ['https://10.1.2.3.example', '10.0.0.0/8'],
    ['http://[2001:db9::1]', '2001:db8::/32'],
    ['https://a.example', ''],
    ['https://a.example', 'a.example/'],
    ['https://a.example', 'https://a.example'],
    ['http://10.1.2.3', '::/0'],
    ['https://a.example', ',:8080,/8,.'],
  ])('%s is not exempt by %j', (url, noProxy) => {
    expect(isProxied(url, noProxy)).toBe(true)
  })
})

describe('an address that can’t be used', () => {
  it.each([
    ['socks5://p.example:1080', 'SOCKS proxies (socks5) are not supported'],
    ['ftp://p.example', 'neither http nor https'],
    ['http://', 'not a URL'],
    ['http://ann:s3cret#1@p.example:3128', '%23'],
    ['http://ann:s3cret/1@p.example:3128', '%2F'],
    ['http://p.example:99999', 'not a URL'],
  ])('%s is an error that names the variable and no password', (address, reason) => {
    const select = createProxySelector(readProxyEnvironment({ HTTPS_PROXY: address }))
    const use = (): unknown => select(new URL('https://a.example'))
    expect(use).toThrow(
      expect.objectContaining({
        code: 'ERR_UNSUPPORTED',
        message: expect.stringMatching(/^HTTPS_PROXY is not a usable proxy address: /),
      }),
    )
    expect(use).toThrow(reason)
    expect(use).not.toThrow('s3cret')
  })

  it('is none for what does not go through it', () => {
    const env = { ALL_PROXY: 'socks5://p.example', NO_PROXY: '.corp.example' }
    for (const url of ['http://localhost:5000', 'https://registry.corp.example'])
      expect(proxyOf(url, env)).toBeUndefined()
  })
})
