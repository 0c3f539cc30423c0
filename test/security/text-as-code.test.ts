// Text of an artifact, server, client or guest is data wherever it is written: in code, pages,
// configurations, shell lines, TOML, JSON, XML, Markdown, headers and on a terminal. `PLACES` lists
// every place that writes such text, with the function that does it.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { Miniflare } from 'miniflare'
import { parsers } from 'prettier/plugins/markdown'
import ts from 'typescript'
import { afterEach, describe, expect, it } from 'vitest'
import { escape as escapeAttribute } from '../../examples/page/build-page.mjs'
import { shellArgument, stringLiteral } from '../../examples/page/source-text.ts'
import { createMetrics } from '../../examples/edge-proxy/src/metrics.ts'
import { formatInvoice, parseInvoice } from '../../src/bindle/invoice.ts'
import { formatKeyring, parseKeyring } from '../../src/bindle/keyring.ts'
import { formatTokenFile, parseTokenFile } from '../../src/bindle/oidc.ts'
import { parseToml } from '../../src/bytes/toml.ts'
import { formatCanonicalJson } from '../../src/bytes/json.ts'
import { quotePath } from '../../src/bytes/path.ts'
import { sliceableOf } from '../../src/bytes/sliceable.ts'
import { decodeUtf8Lossy } from '../../src/bytes/text.ts'
import { escapeUnseen } from '../../src/bytes/visible.ts'
import { SpindleError } from '../../src/errors.ts'
import { parseChallenges } from '../../src/http/challenge.ts'
import { redactText } from '../../src/http/redact.ts'
import { createLoginFile } from '../../src/node/credentials/login-file.ts'
import { createComponentLogs } from '../../src/cli/up/component-logs.ts'
import { reportFailure } from '../../src/cli/terminal/failure.ts'
import type { CliIo } from '../../src/cli/terminal/io.ts'
import { createOutput } from '../../src/cli/terminal/output.ts'
import { quoteArgument } from '../../src/cli/terminal/text.ts'
import { writeApp } from '../../src/cli/registry/write-app.ts'
import { codeSpan, writeWorker } from '../../src/cli/up/write-worker.ts'
import { runAppOf, type RunApp } from '../../src/run/app/run-app.ts'
import { createVariables } from '../../src/run/host/spin/variables.ts'
import { bindingsOf } from '../../src/run/worker-loader/bindings.ts'
import { toWorkerCode } from '../../src/run/worker-loader/worker-code.ts'
import { workerModules } from '../../src/run/worker-loader/worker-modules.ts'
import { errorAnswer } from '../../src/serve/bindle/answer.ts'
import { formatChallenge } from '../../src/serve/http/authorize.ts'
import { formatLink } from '../../src/serve/registry/paging.ts'
import { createRegistryHandler } from '../../src/serve/registry/handler.ts'
import { rewriteLink } from '../../src/serve/relay/rewrite.ts'
import { formatCompletion } from '../../src/serve/storage/s3-xml.ts'
import { formatBindleManifest, parseBindleManifest } from '../../src/spin/bindle/bindle-manifest.ts'
import { formatPayload } from '../../src/trust/cosign/simple-signing.ts'
import { createMachine } from '../node/machine.ts'
import { bytesOfFile, pulledApp } from '../run/fixtures.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** What ends a comment, a string, a line, an element, a fence or a quotation somewhere. */
const HOSTILE = [
  '\u2028throw new Error("pwned")//',
  '\u2029throw new Error("pwned")//',
  '\nthrow new Error("pwned")//',
  '\r\nthrow new Error("pwned")//',
  '*/throw new Error("pwned")/*',
  `');throw new Error('pwned');('`,
  '"}\u0000',
  '${process.exit(9)}`',
  '\\',
  '</script><script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '--><b>',
  '`](javascript:alert(1)) ![x](//evil.test/?) ``',
  '$(touch pwned) `touch pwned` ; touch pwned | x & y > z',
  `'; touch pwned; '`,
  '"\n[extra]\nkey = "',
  "'''\nkey = 1",
  'x\r\nSet-Cookie: pwned=1',
  ', Bearer realm="https://evil.test/"',
  '>; rel="next", <https://evil.test/',
  '\u001b[2J\u001b]0;pwned\u0007',
  '\u009b2Jpwned',
  'Verified\nerror: forged\nwarning: forged',
  '\u202egnp.exe\u2066',
  '\u200b\u2060\ufeff\u{e0041}',
  '\ud800',
  '__proto__',
]

/** Any text, most of it of what has a meaning somewhere. */
const anyText = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc
    .array(fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: 'binary', maxLength: 8 })))
    .map((parts) => parts.join('')),
)
/** Without halves of characters, which UTF-8 can't have. */
const wellFormed = (text: string): string => text.replaceAll(/\p{Cs}/gu, '')
/** As an argument of a process can be. */
const withoutNul = (text: string): string => wellFormed(text).replaceAll('\0', '')

const HELLO = bytesOfFile('examples/hello/hello.wasm')

/** An application whose every text is the given one. */
function appOf(text: string) {
  return pulledApp(
    { guest: { wasm: HELLO, config: { greeting: text }, env: { [text]: text } } },
    [{ route: '/...', component: 'guest' }],
    {
      metadata: { name: text, version: text, description: text },
      variables: { greeting: { default: text } },
    },
  )
}

const codeOf = async (run: RunApp): Promise<string[]> =>
  [...(await workerModules(run))].flatMap(([name, module]) => [
    name,
    ...('js' in module ? [module.js] : []),
  ])

/** The string literals that a TypeScript parser finds in an expression; a syntax error fails. */
function literalsOf(code: string): string[] {
  const source = ts.createSourceFile('x.js', code, ts.ScriptTarget.ES2022, true, ts.ScriptKind.JS)
  const { parseDiagnostics } = source as unknown as { parseDiagnostics: readonly unknown[] }
  expect(parseDiagnostics).toEqual([])
  expect(source.statements.length).toBe(1)
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteral(node)) found.push(node.text)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

/** What a POSIX shell makes of arguments. */
function throughShell(...quoted: string[]): string[] {
  const out = execFileSync('sh', ['-c', `printf '%s\\0' ${quoted.join(' ')}`], { encoding: 'utf8' })
  return out.split('\0').slice(0, -1)
}

interface MarkdownNode {
  readonly type: string
  readonly value?: string
  readonly children?: readonly MarkdownNode[]
}

/** Every node of a Markdown text, by a parser of CommonMark. */
function markdownOf(text: string): MarkdownNode[] {
  const parse = parsers.markdown.parse as unknown as (text: string, options: object) => MarkdownNode
  const flat = (node: MarkdownNode): MarkdownNode[] => [
    node,
    ...(node.children ?? []).flatMap(flat),
  ]
  return flat(parse(text, { originalText: text, filepath: 'x.md' }))
}

/** A terminal that notes what is written to it. */
function terminal(): { io: CliIo; out: () => string; err: () => string } {
  const texts = { out: '', err: '' }
  const stream = (name: keyof typeof texts): Writable & { isTTY: boolean } =>
    Object.assign(
      new Writable({
        write(chunk: Buffer, _, done) {
          texts[name] += chunk.toString()
          done()
        },
      }),
      { isTTY: true },
    )
  const io = {
    stdout: stream('out'),
    stderr: stream('err'),
    env: { NO_COLOR: '1' },
    signal: new AbortController().signal,
  } as unknown as CliIo
  return { io, out: () => texts.out, err: () => texts.err }
}

/** Nothing of a terminal's text can move its cursor; each line begins as a line of ours does. */
function expectHarmless(text: string, lineStart: RegExp): void {
  expect(text.replaceAll('\n', '').replaceAll('\t', '')).toBe(
    escapeUnseen(text.replaceAll('\n', '').replaceAll('\t', '')),
  )
  expect(text.endsWith('\n')).toBe(true)
  for (const line of text.slice(0, -1).split('\n')) expect(line).toMatch(lineStart)
}

interface Place {
  /** What is written. */
  readonly place: string
  /** The function that writes it. */
  readonly writer: string
  /** What becomes of hostile text. */
  readonly outcome: string
  /** Makes a text one that can get there at all. */
  readonly shape?: (text: string) => string
  /** Random texts, beside all that are hostile. Default 100. */
  readonly runs?: number
  readonly check: (text: string) => void | Promise<void>
}

const PLACES: readonly Place[] = [
  {
    place: 'index.js, modules.js and spindle.js of a Worker',
    writer: 'src/run/worker-loader/worker-modules.ts workerModules',
    outcome: 'the code is the same for every application',
    runs: 12,
    async check(text) {
      expect(await codeOf(runAppOf(appOf(text)))).toEqual(await codeOf(runAppOf(appOf('plain'))))
    },
  },
  {
    place: 'app.bin of a Worker',
    writer: 'src/run/worker-loader/worker-modules.ts workerModules',
    outcome: 'JSON that gives the text back',
    runs: 12,
    async check(text) {
      const module = (await workerModules(runAppOf(appOf(text)))).get('app.bin')
      const { data } = module as { data: Uint8Array }
      const { app } = JSON.parse(decodeUtf8Lossy(data)) as { app: { outline: RunApp } }
      expect(app.outline).toMatchObject({ name: text === '' ? 'app' : text })
    },
  },
  {
    place: 'wrangler.jsonc and README.md of a Worker',
    writer: 'src/cli/up/write-worker.ts writeWorker',
    outcome: 'JSON with plain names; Markdown with the text in code spans only',
    shape: wellFormed,
    runs: 8,
    async check(text) {
      const machine = createMachine()
      const run = {
        ...runAppOf(appOf(text)),
        name: text,
        variables: new Map([['token', {}]]),
        components: new Map([
          ['a', { ...[...runAppOf(appOf('x')).components.values()][0]!, keyValueStores: [text] }],
        ]),
      }
      const digest = `sha256:${'0'.repeat(64)}`
      const folder = machine.path('worker')
      await writeWorker(run, { source: text, digest }, folder, 'linux', {})
      const config = readFileSync(join(folder, 'wrangler.jsonc'), 'utf8')
      expect(config).toMatch(/^[\x20-\x7e\n]*$/)
      const { name, kv_namespaces: stores } = JSON.parse(config) as {
        name: string
        kv_namespaces: { binding: string }[]
      }
      expect(name).toMatch(/^[a-z0-9][a-z0-9-]*$/)
      expect(stores.map(({ binding }) => binding).join()).toMatch(/^KEY_VALUE_[A-Z0-9_]*$/)
      const nodes = markdownOf(readFileSync(join(folder, 'README.md'), 'utf8'))
      expect(new Set(nodes.map(({ type }) => type))).toEqual(
        new Set(
          [
            'root',
            'heading',
            'paragraph',
            'text',
            'sentence',
            'whitespace',
            'word',
            'inlineCode',
          ].filter((type) => nodes.some((node) => node.type === type)),
        ),
      )
    },
  },
  {
    place: 'a code span of Markdown',
    writer: 'src/cli/up/write-worker.ts codeSpan',
    outcome: 'one code span that shows the text',
    check(text) {
      const nodes = markdownOf(`before ${codeSpan(text)} after`)
      expect(nodes.filter(({ type }) => type === 'inlineCode').length).toBe(1)
      expect(nodes.map(({ type }) => type)).not.toContain('html')
      if (text.trim() !== '')
        expect(nodes.find(({ type }) => type === 'inlineCode')?.value?.trim()).toBe(
          escapeUnseen(text).trim(),
        )
    },
  },
  {
    place: 'bindings of a Worker, in its configuration and advice',
    writer: 'src/run/worker-loader/bindings.ts bindingsOf',
    outcome: 'letters, digits and "_", or ERR_UNSUPPORTED',
    check(text) {
      const run = { components: new Map(), variables: new Map([[text, {}]]) } as unknown as RunApp
      if (/^[a-z][a-z0-9_]*$/.test(text)) return
      expect(() => bindingsOf(run)).toThrow(
        expect.objectContaining({ code: 'ERR_UNSUPPORTED' }) as Error,
      )
    },
  },
  {
    place: 'locked.json of "registry pull --output"',
    writer: 'src/cli/registry/write-app.ts writeApp',
    outcome: 'JSON that gives the text back; spin.toml is not written',
    shape: wellFormed,
    runs: 8,
    async check(text) {
      const folder = createMachine().path('out')
      const app = { ...appOf(text), manifestBytes: new Uint8Array() }
      const contents = new Map(
        app.locked.components.map(({ source }) => [source.digest, sliceableOf(HELLO)] as const),
      )
      await writeApp(app, contents, folder, 'linux', {})
      expect(JSON.parse(readFileSync(join(folder, 'locked.json'), 'utf8'))).toEqual(app.locked)
      expect(readdirSync(folder).sort()).toEqual(['guest.wasm', 'locked.json', 'manifest.json'])
    },
  },
  {
    place: 'invoice.toml of a bindle',
    writer: 'src/bindle/invoice.ts formatInvoice',
    outcome: 'TOML that gives the text back',
    shape: wellFormed,
    check(text) {
      const label = { sha256: '0'.repeat(64), mediaType: text, name: text, size: 1, origin: text }
      const invoice = {
        bindleVersion: '1.0.0',
        bindle: { name: text, version: '1.0.0', description: text, authors: [text] },
        annotations: { [text]: text },
        parcel: [{ label: { ...label, feature: { [text]: { [text]: text } } } }],
        group: [{ name: text }],
      }
      expect(parseInvoice(formatInvoice(invoice))).toEqual(invoice)
    },
  },
  {
    place: 'the manifest parcel of a bindle',
    writer: 'src/spin/bindle/bindle-manifest.ts formatBindleManifest',
    outcome: 'TOML that gives the text back',
    shape: wellFormed,
    check(text) {
      const manifest = {
        trigger: { type: 'http', base: text },
        component: [
          {
            source: '0'.repeat(64),
            id: text,
            description: text,
            environment: { [text]: text },
            trigger: { route: text },
          },
        ],
      }
      const again = parseBindleManifest(formatBindleManifest(manifest), 'it')
      expect(JSON.stringify(again.component)).toBe(JSON.stringify(manifest.component))
      expect(again.trigger).toEqual(manifest.trigger)
    },
  },
  {
    place: 'keyring.toml, with labels that a server sent',
    writer: 'src/bindle/keyring.ts formatKeyring',
    outcome: 'TOML that gives the text back',
    shape: wellFormed,
    check(text) {
      const keyring = {
        version: '1.0',
        key: [{ label: text, roles: ['host'], key: text, labelSignature: text }],
      } as const
      expect(parseKeyring(formatKeyring(keyring))).toEqual(keyring)
    },
  },
  {
    place: 'the token file of "bindle login"',
    writer: 'src/bindle/oidc.ts formatTokenFile',
    outcome: 'TOML that gives the text back',
    shape: wellFormed,
    check(text) {
      const tokens = {
        idToken: text,
        accessToken: text,
        refreshToken: text,
        clientId: text,
        tokenUrl: text,
        tokenType: text,
      }
      expect(parseTokenFile(formatTokenFile(tokens))).toMatchObject(tokens)
    },
  },
  {
    place: 'an error answer of the Bindle server',
    writer: 'src/serve/bindle/answer.ts errorAnswer',
    outcome: 'TOML that gives the text back, cut at its limit',
    async check(text) {
      const answer = errorAnswer(new Request('http://x.test/'), 400, text)
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
      const { error } = parseToml(new Uint8Array(await answer.arrayBuffer()), 'it')
      expect(error).toBe(text.replaceAll(/\p{Cs}/gu, '\ufffd').slice(0, 2000))
    },
  },
  {
    place: 'an error answer of the registry',
    writer: 'src/serve/http/refusal.ts answerRefusal',
    outcome: 'JSON that no browser takes for a page',
    shape: wellFormed,
    async check(text) {
      const path = `/v2/${encodeURIComponent(text)}/manifests/${encodeURIComponent(text)}`
      const answer = await createRegistryHandler().fetch(new Request(`http://x.test${path}`))
      expect(answer.status).toBeGreaterThanOrEqual(400)
      expect(answer.headers.get('content-type')).toBe('application/json')
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
      expect(JSON.parse(await answer.text())).toMatchObject({ errors: [{}] })
    },
  },
  {
    place: 'a Link header of the registry',
    writer: 'src/serve/registry/paging.ts formatLink',
    outcome: 'one link to the same path',
    shape: wellFormed,
    check(text) {
      const url = new URL(
        `http://x.test/v2/a/tags/list?${new URLSearchParams({ last: text, [text]: text })}`,
      )
      const link = formatLink(url, { last: text })
      expect(link).toMatch(/^<\/v2\/a\/tags\/list\?[^<>\s"]*>; rel="next"$/)
    },
  },
  {
    place: 'a WWW-Authenticate header of registry, token service and relay',
    writer: 'src/serve/http/authorize.ts formatChallenge',
    outcome: 'one challenge with the parameters it was given',
    check(text) {
      const header = formatChallenge({
        scheme: 'Bearer',
        parameters: { realm: text, service: 'x' },
      })
      const [challenge, ...more] = parseChallenges(new Headers({ x: header }).get('x') ?? '')
      expect(more).toEqual([])
      expect([...(challenge?.parameters.keys() ?? [])]).toEqual(['realm', 'service'])
    },
  },
  {
    place: 'the XML that completes an upload to S3',
    writer: 'src/serve/storage/s3-xml.ts formatCompletion',
    outcome: 'one part for each etag, as text',
    check(text) {
      const xml = formatCompletion([text, 'second'])
      expect(xml.match(/<\/?[A-Za-z]+/g)).toEqual(
        formatCompletion(['a', 'b']).match(/<\/?[A-Za-z]+/g),
      )
    },
  },
  {
    place: 'a Link header of the relay',
    writer: 'src/serve/relay/rewrite.ts rewriteLink',
    outcome: 'one link below the relay, or none',
    shape: wellFormed,
    check(text) {
      const from = new URL('https://registry.test/v2/a/tags/list')
      const context = {
        registry: { name: 'registry.test', base: new URL('https://registry.test/') },
        path: '/relay/registry.test',
        route: { kind: 'tags', repository: 'a' },
        repository: 'a',
        from,
      } as unknown as Parameters<typeof rewriteLink>[1]
      const links = [`</v2/a/tags/list?last=${text}>; rel="next"`, `<${text}>; rel="next"`, text]
      for (const link of links)
        expect(rewriteLink(link, context) ?? '').toMatch(
          /^(?:<\/relay\/registry\.test\/v2\/a\/tags\/list[^<>\s"]*>; rel="next")?$/,
        )
    },
  },
  {
    place: 'manifests, locks and the index of an OCI layout',
    writer: 'src/bytes/json.ts formatCanonicalJson',
    outcome: 'JSON that gives the text back',
    shape: wellFormed,
    check(text) {
      const value = { [text]: [text, { [text]: text }] }
      expect(JSON.parse(decodeUtf8Lossy(formatCanonicalJson(value)))).toEqual(
        JSON.parse(JSON.stringify(value)),
      )
    },
  },
  {
    place: 'the payload of a legacy signature',
    writer: 'src/trust/cosign/simple-signing.ts formatPayload',
    outcome: 'JSON that gives the text back, without "<"',
    shape: wellFormed,
    check(text) {
      const payload = decodeUtf8Lossy(
        formatPayload(`sha256:${'0'.repeat(64)}`, text, { key: text }),
      )
      expect(payload).not.toMatch(/[<>&\u2028\u2029]/)
      expect(JSON.parse(payload)).toMatchObject({
        critical: { identity: { 'docker-reference': text } },
        optional: { key: text },
      })
    },
  },
  {
    place: 'the login file',
    writer: 'src/node/credentials/login-file.ts createLoginFile',
    outcome: 'JSON that gives user and password back',
    shape: (text) => `u${withoutNul(text).replaceAll(':', '')}`,
    runs: 12,
    async check(text) {
      const file = createLoginFile(createMachine().options)
      await file.save('registry.test', { username: text, password: `${text}:${text}` })
      expect(
        await file.keychain({ registry: 'registry.test', repository: 'a', actions: ['pull'] }),
      ).toEqual({ username: text, password: `${text}:${text}` })
    },
  },
  {
    place: 'a line on stdout or stderr',
    writer: 'src/cli/terminal/output.ts createOutput line, note',
    outcome: 'one line, unseen characters as escapes',
    check(text) {
      const { io, out, err } = terminal()
      const output = createOutput(io, {})
      output.line(`ours ${text}`)
      output.note(`ours ${text}`)
      expectHarmless(out(), /^ours /)
      expectHarmless(err(), /^ours /)
    },
  },
  {
    place: 'a warning, server messages and findings among them',
    writer: 'src/cli/terminal/output.ts createOutput warn, warnOf',
    outcome: 'further lines are indented, unseen characters are escapes',
    check(text) {
      const { io, err } = terminal()
      const output = createOutput(io, {})
      output.warn(text)
      output.warnOf([{ code: 'x', path: text, message: text, frame: text }])
      expectHarmless(err(), /^(?:warning: | {2})/)
    },
  },
  {
    place: 'an answer in JSON on a terminal',
    writer: 'src/cli/terminal/output.ts createOutput json',
    outcome: 'JSON that gives the text back, unseen characters as escapes',
    check(text) {
      const { io, out } = terminal()
      createOutput(io, { json: true }).json({ text, [text]: 1 })
      expectHarmless(out(), /^[ {}]/)
      expect(JSON.parse(out())).toEqual(JSON.parse(JSON.stringify({ text, [text]: 1 })))
    },
  },
  {
    place: 'an error with its causes and hint',
    writer: 'src/cli/terminal/failure.ts reportFailure',
    outcome: 'further lines are indented, unseen characters are escapes',
    check(text) {
      const { io, err } = terminal()
      const cause = new Error(`cause ${text}`)
      reportFailure(new SpindleError('ERR_NETWORK', `message ${text}`, { cause }), io)
      reportFailure(new Error(text, { cause: text }), io)
      expectHarmless(err(), /^(?:error|error\[ERR_NETWORK\]| )/)
    },
  },
  {
    place: 'what a component prints, and is called',
    writer: 'src/cli/up/component-logs.ts createComponentLogs',
    outcome: 'one line behind its name, unseen characters as escapes',
    async check(text) {
      const { io, err } = terminal()
      const logs = await createComponentLogs(io, {
        follow: undefined,
        folder: undefined,
        truncate: false,
      })
      logs.onLog({ component: `c${text}`, stream: 'stdout', text })
      logs.onLog({ component: `c${text}`, stream: 'host', text })
      expectHarmless(err(), /^(?:c|warning: c)/)
    },
  },
  {
    place: 'the command that "bindle prepare" shows, and others to copy',
    writer: 'src/cli/terminal/text.ts quoteArgument',
    outcome: 'one argument for a shell',
    shape: withoutNul,
    runs: 30,
    check(text) {
      expect(throughShell(quoteArgument(text), quoteArgument('b'))).toEqual([text, 'b'])
    },
  },
  {
    place: 'the command that the uploader shows',
    writer: 'examples/page/source-text.ts shellArgument',
    outcome: 'one argument for a shell',
    shape: withoutNul,
    runs: 30,
    check(text) {
      expect(throughShell(shellArgument(text), shellArgument('b'))).toEqual([text, 'b'])
    },
  },
  {
    place: 'the code that the uploader shows',
    writer: 'examples/page/source-text.ts stringLiteral',
    outcome: 'one string literal that gives the text back, in a script element too',
    runs: 1000,
    check(text) {
      expect(literalsOf(`x(${stringLiteral(text)})`)).toEqual([text])
      expect(stringLiteral(text)).toMatch(/^'[\x20-\x7e]*'$/)
      expect(stringLiteral(text)).not.toContain('<')
    },
  },
  {
    place: 'the <meta> that a page is built with',
    writer: 'examples/page/build-page.mjs escape',
    outcome: 'text of one attribute, or refused',
    check(text) {
      try {
        expect(escapeAttribute(text)).toMatch(/^(?:[^"<&\s]| |&(?:amp|quot|lt);)*$/)
      } catch (error) {
        if (!(error instanceof TypeError)) throw error
      }
    },
  },
  {
    place: 'labels of the edge proxy’s metrics',
    writer: 'examples/edge-proxy/src/metrics.ts createMetrics',
    outcome: 'one line, one quoted value',
    check(text) {
      const metrics = createMetrics()
      metrics.count('requests', { by: text })
      expect(metrics.format({})).toMatch(/^edge_requests_total\{by="[^"\\\n]*"\} 1\n$/)
    },
  },
  {
    place: 'the flag that an error about a missing variable names',
    writer: 'src/run/host/spin/variables.ts createVariables',
    outcome: 'only a name that a shell takes as one word stands behind the flag',
    check(text) {
      if (/^[a-z][a-z0-9_]*$/.test(text)) return
      const run = { variables: new Map([[text, {}]]) } as unknown as RunApp
      expect(() => createVariables(run, {})).toThrow(/ with --variable$/)
    },
  },
  {
    place: 'a path or name in a message',
    writer: 'src/bytes/path.ts quotePath',
    outcome: 'one JSON string, unseen characters as escapes',
    check(text) {
      const quoted = quotePath(text)
      expect(quoted).toBe(escapeUnseen(quoted))
      expect(typeof JSON.parse(quoted)).toBe('string')
    },
  },
  {
    place: 'a message of a server in an error or warning',
    writer: 'src/http/redact.ts redactText',
    outcome: 'one line without unseen characters',
    check(text) {
      expect(redactText(text)).toBe(escapeUnseen(redactText(text)))
    },
  },
]

describe('text from elsewhere stays text in', () => {
  for (const {
    place,
    writer,
    outcome,
    shape = (text: string) => text,
    runs = 100,
    check,
  } of PLACES)
    it(`${place} (${writer}): ${outcome}`, async () => {
      for (const text of HOSTILE) await check(shape(text))
      await fc.assert(
        fc.asyncProperty(anyText, async (text) => check(shape(text))),
        { numRuns: runs },
      )
    })
})

describe('an application with code for a name and version', () => {
  let worker: Miniflare | undefined
  afterEach(async () => {
    await worker?.dispose()
    worker = undefined
  })

  it('runs as a Worker, and the code does not', async () => {
    const attack = '\u2028\nglobalThis.pwned = true; throw new Error("pwned")//'
    const { modules, mainModule, compatibilityDate } = await toWorkerCode(appOf(attack))
    worker = new Miniflare({
      compatibilityDate,
      modulesRoot: '/',
      modules: [mainModule, ...Object.keys(modules).filter((name) => name !== mainModule)].map(
        (name) => {
          const module = modules[name] as { js?: string; wasm?: ArrayBuffer; data?: ArrayBuffer }
          const type =
            module.js !== undefined
              ? 'ESModule'
              : module.wasm !== undefined
                ? 'CompiledWasm'
                : 'Data'
          const contents = module.js ?? new Uint8Array((module.wasm ?? module.data)!)
          return { type, path: `/${name}`, contents }
        },
      ) as never,
    })
    const answer = await worker.dispatchFetch('http://app.example/.well-known/spin/info')
    expect(await answer.json()).toMatchObject({ name: attack, version: attack })
  })

  it('is refused where two of its stores would become one', () => {
    const components = new Map([['a', { keyValueStores: ['a-b', 'a_b'] }]])
    const run = { components, variables: new Map() } as unknown as RunApp
    expect(() => bindingsOf(run)).toThrow(/"a-b" and "a_b" would share .* KEY_VALUE_A_B/)
  })
})

describe('the source', () => {
  const sources = ['src', 'examples', 'mocks'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(?:ts|mjs)$/.test(name) && !/node_modules|\bdist\b/.test(name))
      .map((name) => join(folder, name))
      .filter((path) => statSync(join(root, path)).isFile())
      .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') })),
  )
  const filesWith = (pattern: RegExp): string[] =>
    sources.flatMap(({ path, text }) => (pattern.test(text) ? [path] : [])).sort()

  it('makes no code or markup of text', () => {
    expect(
      filesWith(
        /\b(?:eval|Function)\(|new Function|innerHTML\s*=|outerHTML\s*=|insertAdjacentHTML|document\.write|srcdoc/,
      ),
    ).toEqual([])
  })

  it('writes to the terminal of the command line in these files only, all of them in the table above or without untrusted text', () => {
    expect(filesWith(/std(?:out|err)\.write\(/).filter((path) => path.startsWith('src'))).toEqual([
      // What a developer's own build command prints.
      'src/cli/app/build-components.ts',
      'src/cli/commands/registry/manifest.ts',
      'src/cli/commands/verify.ts',
      'src/cli/program.ts',
      'src/cli/terminal/failure.ts',
      'src/cli/terminal/output.ts',
      // Counts and sizes.
      'src/cli/terminal/progress.ts',
      'src/cli/terminal/prompt.ts',
      'src/cli/up/component-logs.ts',
    ])
  })

  it('hands a shell nothing but the build commands of a developer’s own manifest', () => {
    expect(filesWith(/shell: (?!false)|\bexecSync\(|[^.]\bexec\(/)).toEqual([
      // npm, by a name of its own.
      'examples/built.mjs',
      'src/cli/app/build-components.ts',
    ])
  })
})
