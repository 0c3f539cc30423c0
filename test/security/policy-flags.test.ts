// Flags and files with requirements that would not be checked: exit code 2 before any request.
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { createRepository } from '../../src/registry/repository.ts'
import {
  formatPrivateKey,
  formatPublicKey,
  generateKeyPair,
} from '../../src/trust/keys/private-key.ts'
import { createKeySigner } from '../../src/trust/keys/signer.ts'
import type { FetchHandler } from '../../src/types.ts'
import { sign } from '../../src/verbs/sign.ts'
import { createArtifact, type Json } from '../portable/trust-fixture.ts'
import { createSession, type Session } from '../cli/session.ts'

const REF = 'localhost:5000/team/hello:1'
const IDENTITY = ['--certificate-identity', 'ann@example.org']
const ISSUER = ['--certificate-oidc-issuer', 'https://accounts.example']
const WHO = [...IDENTITY, ...ISSUER]

let files: Readonly<Record<string, string>>
let registry: FetchHandler
let session: Session
let requests = 0
beforeAll(async () => {
  registry = createRegistryHandler()
  const pair = await generateKeyPair()
  files = {
    'our.pem': await formatPrivateKey(pair.privateKey),
    'our.pub': await formatPublicKey(pair.publicKey),
  }
  const repository = createRepository(REF, registry)
  await repository.tag(await createArtifact(repository), '1')
  await sign(REF, await createKeySigner(pair), registry)
})
beforeEach(() => {
  session = createSession((request) => {
    requests++
    return registry.fetch(request)
  })
  for (const [name, text] of Object.entries(files)) session.write(name, text)
  session.write('policy.json', { key: 'our.pub', requireTransparencyLog: false })
})

const COMMANDS = [
  { command: ['verify'], key: '--key', to: [] },
  { command: ['registry', 'pull'], key: '--verify-key', to: [] },
  { command: ['registry', 'copy'], key: '--verify-key', to: ['localhost:5000/team/mirror:1'] },
  { command: ['registry', 'run'], key: '--verify-key', to: [] },
  { command: ['up', '--from-registry'], key: '--verify-key', to: [] },
  { command: ['build-worker'], key: '--verify-key', to: [] },
]

/** The flags, with KEY for the command's own, and the error message. */
const REFUSED: readonly (readonly [readonly string[], string])[] = [
  ...['trigger', 'sha', 'name', 'repository', 'ref'].map((part) => {
    const flag = `--certificate-github-workflow-${part}`
    return [['KEY', 'our.pub', flag, 'x'], `${flag} applies to certificates`] as const
  }),
  [['KEY', 'our.pub', '--insecure-ignore-sct'], '--insecure-ignore-sct applies to certificates'],
  [['KEY', 'our.pub', '--insecure-ignore-sct=false'], '--insecure-ignore-sct applies to'],
  [
    ['KEY', 'our.pub', '--use-signed-timestamps'],
    '--use-signed-timestamps applies to certificates',
  ],
  [['KEY', 'our.pub', '--use-signed-timestamps=false'], '--use-signed-timestamps applies to'],
  [['KEY', 'our.pub', ...WHO], 'not both'],
  [['KEY', 'our.pub', ...ISSUER], 'not both'],
  [['--policy', 'policy.json', 'KEY', 'our.pub'], '--policy excludes the other policy flags'],
  [['--policy', 'policy.json', '--annotations', 'a=b'], '--policy excludes the other policy flags'],
  [
    ['--policy', 'policy.json', '--trusted-root', 'root.json'],
    '--policy excludes the other policy flags',
  ],
  [
    ['--policy', 'policy.json', '--insecure-ignore-tlog'],
    '--policy excludes the other policy flags',
  ],
  [
    ['--policy', 'policy.json', '--insecure-ignore-tlog=false'],
    '--policy excludes the other policy flags',
  ],
  [
    ['--policy', 'policy.json', '--insecure-ignore-sct'],
    '--policy excludes the other policy flags',
  ],
  [
    ['--policy', 'policy.json', '--new-bundle-format=false'],
    '--policy excludes the other policy flags',
  ],
  [
    ['--policy', 'policy.json', '--use-signed-timestamps'],
    '--policy excludes the other policy flags',
  ],
  [['--annotations', 'a=b'], 'name the required signer'],
  [['--insecure-ignore-tlog'], 'name the required signer'],
  [['--certificate-github-workflow-ref', 'x'], 'name the required signer'],
  [IDENTITY, 'both required'],
  [ISSUER, 'both required'],
  [[...WHO, '--certificate-identity-regexp', 'x'], 'one of them'],
  [[...IDENTITY, '--certificate-oidc-issuer-regexp', '('], 'is not a valid regular expression'],
  // Unset shell variables.
  [['KEY', ''], 'is empty'],
  [['--policy', ''], '--policy is empty'],
  [['--certificate-identity', '', ...ISSUER], '--certificate-identity is empty'],
  [[...IDENTITY, '--certificate-oidc-issuer', ''], '--certificate-oidc-issuer is empty'],
  [['--certificate-identity-regexp', '', ...ISSUER], '--certificate-identity-regexp is empty'],
  [[...WHO, '--certificate-github-workflow-ref', ''], '--certificate-github-workflow-ref is empty'],
  [[...WHO, '--trusted-root', ''], '--trusted-root is empty'],
  // The first of two values would be ignored.
  [['KEY', 'our.pub', 'KEY', 'other.pub'], 'Give it once'],
  [[...WHO, ...IDENTITY], 'Give it once'],
  [[...WHO, ...ISSUER], 'Give it once'],
  [['--policy', 'other.json', '--policy', 'policy.json'], 'Give it once'],
  [['KEY', 'our.pub', '-a', 'stage=prod', '-a', 'stage=test'], 'give each key once'],
  [['KEY', 'our.pub', '--insecure-ignore-tlog=false', '--insecure-ignore-tlog'], 'Give it once'],
  [['KEY', 'our.pub', '--insecure-ignore-tlog=yes'], 'true, false'],
]

describe.each(COMMANDS)('$command', ({ command, key, to }) => {
  it.each(REFUSED)('refuses %j: %s', async (flags, message) => {
    const before = requests
    const given = flags.map((flag) => (flag === 'KEY' ? key : flag))
    const { code, stdout, stderr } = await session.run(...command, REF, ...to, ...given)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr.replaceAll(/\s+/g, ' ')).toContain(message)
    expect(requests).toBe(before)
  })
})

const ours: Json = { key: 'our.pub', requireTransparencyLog: false }
const person: Json = { identity: 'ann@example.org', issuer: 'https://accounts.example' }

describe('a policy file', () => {
  it('that the library rejects is exit code 2', async () => {
    expect(await session.run('verify', '--policy', 'policy.json', REF)).toMatchObject({ code: 0 })
  })

  it.each<[string, unknown, string]>([
    ['a mistyped key', { ...ours, treshold: 2 }, 'did you mean `threshold`?'],
    ['a mistyped key below', { anyOf: [ours, { ...ours, treshold: 2 }] }, '`anyOf[1]`'],
    ['extensions beside a key', { ...ours, extensions: { githubWorkflowRef: 'x' } }, '`identity`'],
    ['a time beside a key', { ...ours, time: 'authority' }, '`time`'],
    ['requireSct beside a key', { ...ours, requireSct: true }, '`requireSct`'],
    ['an issuer beside a key', { ...ours, issuer: 'x' }, '`issuer`'],
    ['a pattern beside a key', { ...ours, issuerRegexp: 'x' }, '`issuerRegexp`'],
    ['annotations beside anyOf', { anyOf: [ours], annotations: { a: 'b' } }, 'in each rule'],
    ['formats beside allOf', { allOf: [ours], formats: ['bundle'] }, 'in each rule'],
    ['a log beside anyOf', { anyOf: [ours], requireTransparencyLog: true }, 'in each rule'],
    ['a root beside anyOf', { anyOf: [ours], trustedRoot: 'root.json' }, 'in each rule'],
    ['a threshold beside allOf', { allOf: [ours], threshold: 1 }, 'use it with `anyOf`'],
    ['a threshold of too many', { anyOf: [ours], threshold: 2 }, '1 rules'],
    ['null annotations', { ...ours, annotations: null }, '`annotations`'],
    ['a null reference', { ...ours, reference: null }, '`reference`'],
    ['null types', { ...ours, predicateTypes: null }, '`predicateTypes`'],
    ['a null root', { ...ours, trustedRoot: null }, '`trustedRoot`'],
    ['a null pattern', { ...person, identity: undefined, identityRegexp: null }, 'identityRegexp'],
    ['a number of annotations', { ...ours, annotations: 5 }, '`annotations`'],
    ['a list of annotations', { ...ours, annotations: ['a=b'] }, '`annotations`'],
    ['no annotations', { ...ours, annotations: {} }, '`annotations`'],
    ['a word for a number', { ...ours, threshold: '2' }, '`threshold`'],
    ['a word for a switch', { ...ours, requireTransparencyLog: 'false' }, 'true or false'],
    ['a mistyped time', { ...person, time: 'Authority' }, '`time`'],
    ['a mistyped extension', { ...person, extensions: { githubRef: 'x' } }, 'githubRef'],
    ['a mistyped format', { ...ours, formats: ['bundles'] }, '`formats`'],
    ['an object for a key', { ...ours, key: { type: 'public' } }, '`key`'],
    ['a key that no file has', { ...ours, key: ['our.pub', 5] }, '`key`'],
    ['a pattern and a value', { ...person, identityRegexp: 'a' }, 'use one of them'],
    [
      'a pattern that is none',
      { issuer: 'b', identityRegexp: '(' },
      'is not a valid regular expression',
    ],
    ['two kinds', { ...ours, anyOf: [ours] }, 'exactly one of'],
    ['a key of a prototype', '{"key":"our.pub","__proto__":{"threshold":2}}', '__proto__'],
    ['a key twice', '{"key":"our.pub","threshold":2,"threshold":1}', 'twice'],
    ['no JSON', 'key: our.pub', 'JSON'],
  ])('with %s is exit code 2', async (_, policy, message) => {
    const before = requests
    session.write('strict.json', policy as object)
    const { code, stdout, stderr } = await session.run('verify', '--policy', 'strict.json', REF)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain('strict.json')
    expect(stderr).toContain(message)
    expect(requests).toBe(before)
  })

  it.each<[string, unknown]>([
    ['a threshold', { anyOf: [ours, { ...ours, key: ['our.pub'] }], threshold: 2 }],
    ['an annotation below', { anyOf: [{ ...ours, annotations: { stage: 'prod' } }] }],
    ['a name', { ...ours, reference: 'localhost:5000/team/hello' }],
    ['a format', { ...ours, formats: ['legacy'] }],
    ['a log', { allOf: [ours, { ...ours, requireTransparencyLog: true }] }],
  ])('with %s that is not satisfied is exit code 1', async (_, policy) => {
    session.write('strict.json', policy as object)
    const { code, stdout, stderr } = await session.run('verify', '--policy', 'strict.json', REF)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain('[ERR_POLICY_REJECTED]')
  })
})

describe('bindle-server', () => {
  it.each([[['--strategy', 'ExhaustiveVerification']], [['--key-roles']]])(
    'refuses %j, which say how to verify, where nobody is named',
    async (flags) => {
      const { code, stderr } = await session.run('bindle-server', '--unauthenticated', ...flags)
      expect(code).toBe(2)
      expect(stderr).toContain('--keyring')
    },
  )
})

describe('bindle', () => {
  it.each([
    ['pull', ['-o', 'out']],
    ['info', []],
  ])(
    '%s verifies where a keyring is named, and asks nobody when it knows nobody',
    async (command, more) => {
      const before = requests
      const server = ['--bindle-server', 'http://localhost:5000/v1']
      const named = [...server, ...more, '--keyring', 'none.toml']
      const { code, stderr } = await session.run('bindle', command, 'hello/1.0.0', ...named)
      expect(code).toBe(1)
      expect(stderr).toContain('there is no key in')
      expect(requests).toBe(before)
    },
  )
})

describe('sign', () => {
  it('rejects a second value for an annotation', async () => {
    const again = ['-a', 'stage=prod', '-a', 'stage=test']
    const { code } = await session.run(
      'sign',
      '--key',
      'our.pem',
      '--tlog-upload=false',
      ...again,
      REF,
    )
    expect(code).toBe(2)
  })
})
