import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRelayHandler } from '../../src/serve/relay/handler.ts'
import { isPublicAddress, isPublicHost } from '../../src/serve/relay/address.ts'
import { relayBefore } from '../serve/relay/relay.ts'

// The host in the path is chosen by the client.
describe('a relay', () => {
  it.each([
    'evil.example',
    'registry.example.evil.example',
    'evil-registry.example',
    'registry.example.',
    'REGISTRY.EXAMPLE',
    'registry.example@evil.example',
    'evil.example@registry.example',
    'registry%2eexample',
    'registry.example%00',
    'registry.example%2f@evil.example',
    '127.0.0.1',
    '2130706433',
    '0x7f.1',
    '017700000001',
    '0.0.0.0',
    '127.0.0.1.',
    '[::]',
    '[::1]',
    '[::ffff:169.254.169.254]',
    '169.254.169.254',
    'localhost',
    'metadata.google.internal',
    'rеgistry.example',
    'xn--rgistry-2fg.example',
    'registry.example\\evil.example',
    'registry.example;evil.example',
    'registry.example,evil.example',
    '',
    '*',
    '__proto__',
    'constructor',
  ])('does not go to %s', async (host) => {
    const { ask, sent } = relayBefore()
    expect([403, 404]).toContain((await ask(`/${host}/v2/`)).status)
    expect(sent).toEqual([])
  })

  it.each([
    '127.0.0.1:5000',
    'localhost:5000',
    'registry.localhost',
    '10.0.0.1',
    '[::1]:5000',
    '[fd00::1]',
    'registry',
    'registry.internal',
    'registry.default.svc',
    '0.0.0.0',
    '169.254.169.254',
    '[::ffff:7f00:1]',
  ])('rejects %s as a registry unless it is insecure', (host) => {
    const options = { registries: [host], origins: [] }
    expect(() => createRelayHandler(options)).toThrow(TypeError)
    expect(() => createRelayHandler({ ...options, insecure: [host] })).not.toThrow()
  })

  it.each([
    'https://ghcr.io',
    'ghcr.io/',
    'ghcr.io/team',
    'user@ghcr.io',
    'GHCR.io',
    'ghcr.io:443',
    '',
  ])('rejects "%s", which is not a host', (host) => {
    expect(() => createRelayHandler({ registries: [host], origins: [] })).toThrow(TypeError)
  })
})

describe('an address', () => {
  it.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.255',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.192',
    '192.168.1.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '127.1',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '::7f00:1',
    '64:ff9b::7f00:1',
    'fe80::1',
    'fe80::1%eth0',
    'fc00::1',
    'fd00:ec2::254',
    'ff02::1',
    '2002:7f00:1::',
    '2001::1',
    '2001:db8::1',
    'nonsense',
    '',
  ])('%s is not public', (address) => {
    expect(isPublicAddress(address)).toBe(false)
  })

  it.each([
    '8.8.8.8',
    '100.63.255.255',
    '100.128.0.0',
    '172.15.0.1',
    '172.32.0.1',
    '169.253.0.1',
    '2606:4700::1111',
    '2001:4860:4860::8888',
  ])('%s is public', (address) => {
    expect(isPublicAddress(address)).toBe(true)
  })

  it('of a private range is rejected in every notation of URLs', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(0x7f000000, 0x0a000000, 0xa9fe0000),
        fc.nat(0xffff),
        fc.constantFrom(
          (n: number) => String(n),
          (n: number) => `0x${n.toString(16)}`,
          (n: number) => `0${n.toString(8)}`,
          (n: number) => `${n >>> 24}.${n & 0xffffff}`,
          (n: number) => `[::ffff:${(n >>> 16).toString(16)}:${(n & 0xffff).toString(16)}]`,
          (n: number) => `[64:ff9b::${(n >>> 16).toString(16)}:${(n & 0xffff).toString(16)}]`,
        ),
        (range, rest, spell) => {
          const { hostname } = new URL(`https://${spell(range + rest)}/`)
          expect(isPublicHost(hostname)).toBe(false)
        },
      ),
    )
  })
})
