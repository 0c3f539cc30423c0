import { describe, expect, it } from 'vitest'
import {
  allowsSelf,
  allowsUrl,
  expandServiceChaining,
  isServiceChainingHost,
  parseAllowedHost,
} from '../../src/spin/manifest/outbound-hosts.ts'
import { convertAllowedHttpHosts } from '../../src/spin/manifest/allowed-http-hosts.ts'

const allows = (entry: string, url: string, scheme?: string) =>
  allowsUrl([parseAllowedHost(entry)], url, scheme)

describe('an allowed outbound host', () => {
  it.each([
    ['http://example.com', 'http://example.com/x'],
    ['http://example.com:80', 'http://example.com'],
    ['https://example.com/', 'https://EXAMPLE.com'],
    ['*://*:*', 'anything://host:1'],
    ['*://*:443', 'https://a.b'],
    ['http://*.example.com', 'http://a.example.com'],
    ['http://*.example.com', 'http://a.b.example.com'],
    ['http://10.0.0.0/8:80', 'http://10.1.2.3'],
    ['http://10.0.0.1', 'http://10.0.0.1'],
    ['http://[::1]', 'http://[::1]'],
    ['http://2001:db8::/32', 'http://[2001:db8:1::1]/'],
    ['redis://*:6379', 'redis://user:p@ss#word@db'],
    ['redis://db:1000..1003', 'redis://db:1002'],
    ['mysql://db', 'db:3306', 'mysql'],
    ['http://bücher.example', 'http://xn--bcher-kva.example'],
    [' http://a.b ', 'http://a.b'],
    ['http://a.b:80/', 'http://a.b'],
    ['http://127.0.0.1', 'http://0x7f.1'],
  ])('%s allows %s', (entry, url, scheme?: string) => expect(allows(entry, url, scheme)).toBe(true))

  it.each([
    ['http://example.com', 'https://example.com'],
    ['http://example.com', 'http://example.com:81'],
    ['http://example.com', 'http://evil.com'],
    ['http://*.example.com', 'http://example.com'],
    ['http://*.example.com', 'http://notexample.com'],
    ['http://*.example.com', 'http://example.com.evil.com'],
    ['http://10.0.0.0/8', 'http://11.0.0.1'],
    ['http://10.0.0.0/8', 'http://10.evil.com'],
    ['redis://db:1000..1003', 'redis://db:1003'],
    ['http://self', 'http://self'],
    ['http://good.com', 'http://evil.com?@good.com'],
    ['http://good.com', 'http://evil.com#@good.com'],
    ['http://good.com', 'http://evil.com\\@good.com'],
    ['http://good.com', 'http://good.com@evil.com'],
    ['http://good.com', 'not a url'],
    ['foo://a:1', 'foo://a'],
    ['http://0.0.0.0/0', 'http://[::1]'],
  ])('%s does not allow %s', (entry, url) => expect(allows(entry, url)).toBe(false))

  it.each<[string, string]>([
    ['example.com', 'does not contain a scheme'],
    ['*', "If you intended to allow all outbound networking, you can use '*://*:*'"],
    [
      '*://a.b',
      'no port was provided and the scheme "*" does not have a known default port number',
    ],
    ['ftp://a.b', 'does not have a known default port number'],
    ['h2://a:1', 'only alphabetic characters are allowed'],
    ['{http,https}://a:1', 'scheme lists are not supported'],
    ['http://{a,b}', 'host lists are not yet supported'],
    ['http://a:{1,2}', 'port lists are not yet supported'],
    ['http://a/b', 'must not include a path'],
    ['http://a:80/b', 'has a path but is not allowed to'],
    ['http://a.*', 'wildcards are allowed only as subdomains'],
    ['http://*.*.a', 'wildcards are allowed only as prefixes'],
    ['http://*.1.2.3.4', 'wildcard suffix must be a domain'],
    ['http://a:b', 'port "b" is not a number'],
    ['http://a:65536', 'is not a number'],
    ['http://a:1..x', 'contains non-number'],
    ['http://', 'empty host'],
    ['http://a b', 'invalid international domain name'],
    ['http://a?b', 'Invalid allowed host "a?b"'],
  ])('%j is refused', (entry, message) => expect(() => parseAllowedHost(entry)).toThrow(message))

  it('allows the application itself by name or by any', () => {
    expect(allowsSelf([parseAllowedHost('http://self')])).toBe(true)
    expect(allowsSelf([parseAllowedHost('https://self.alt')], ['http'])).toBe(false)
    expect(allowsSelf([parseAllowedHost('*://*:*')])).toBe(true)
    expect(allowsSelf([parseAllowedHost('http://example.com')])).toBe(false)
  })

  it('may be a component of the application', () => {
    expect(
      ['http://a.spin.internal', 'http://*.spin.internal', 'http://spin.internal', '*://*:*'].map(
        (entry) => isServiceChainingHost(parseAllowedHost(entry)),
      ),
    ).toEqual([true, true, false, false])
    const expanded = expandServiceChaining([parseAllowedHost('http://*.spin.internal')], ['a', 'b'])
    expect(allowsUrl(expanded, 'http://b.spin.internal/x')).toBe(true)
    expect(allowsUrl(expanded, 'http://c.spin.internal/x')).toBe(false)
  })
})

describe('allowed_http_hosts', () => {
  it.each<[readonly string[], readonly string[]]>([
    [
      ['a.example', 'b.example:81'],
      ['http://a.example', 'https://a.example', 'http://b.example:81', 'https://b.example:81'],
    ],
    [
      ['http://a.example:80/', 'https://a.example:443'],
      ['http://a.example', 'https://a.example', 'http://a.example', 'https://a.example'],
    ],
    [['self'], ['http://self']],
    [['[::1]:8080'], ['http://[::1]:8080', 'https://[::1]:8080']],
    [
      ['x y', 'insecure:allow-all'],
      ['http://*:*', 'https://*:*', 'http://self'],
    ],
  ])('%j convert', (hosts, converted) => {
    expect(convertAllowedHttpHosts(hosts, { allowDatabases: false })).toEqual({
      converted,
      problems: new Map(),
    })
  })
})
