import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { writeLayout } from './content.mjs'
import { startDelayProxy } from './delay-proxy.mjs'
import { measure, median } from './process.mjs'
import { startRegistry } from './registry.mjs'

const MIB = 1024 * 1024
const spindle = fileURLToPath(new URL('sides/spindle.mjs', import.meta.url))

/** Each client with the certificate of the registry as its own authority. */
const CLIENTS = [
  {
    name: 'spindle',
    push: ({ layout, to }) => [process.execPath, [spindle, 'push', to, layout]],
    pull: ({ from, target }) => [process.execPath, [spindle, 'pull', from, target]],
  },
  ...[
    ['oras, default', []],
    ['oras, 64 at once', ['--concurrency', '64']],
  ].map(([name, options]) => ({
    name,
    command: ['oras', 'version'],
    push: ({ layout, to, ca }) => [
      'oras',
      ['cp', ...options, '--to-ca-file', ca, '--from-oci-layout', `${layout}:v1`, to],
    ],
    pull: ({ from, target, ca }) => [
      'oras',
      ['cp', ...options, '--from-ca-file', ca, from, '--to-oci-layout', `${target}:v1`],
    ],
  })),
  {
    name: 'crane',
    command: ['crane', 'version'],
    push: ({ layout, to }) => ['crane', ['push', layout, to]],
    pull: ({ from, target }) => ['crane', ['pull', '--format', 'oci', from, target]],
  },
  {
    name: 'skopeo',
    command: ['skopeo', '--version'],
    withoutMany: 'one connection for each request: minutes for so many layers',
    push: ({ layout, to, certificates }) => [
      'skopeo',
      [
        'copy',
        '--quiet',
        '--insecure-policy',
        '--preserve-digests',
        '--dest-cert-dir',
        certificates,
        `oci:${layout}:v1`,
        `docker://${to}`,
      ],
    ],
    pull: ({ from, target, certificates }) => [
      'skopeo',
      [
        'copy',
        '--quiet',
        '--insecure-policy',
        '--preserve-digests',
        '--src-cert-dir',
        certificates,
        `docker://${from}`,
        `oci:${target}:v1`,
      ],
    ],
  },
]

/** A certificate for the loopback address that signs itself, so that it is also the authority. */
function writeCertificate(folder, certificates) {
  mkdirSync(certificates)
  const [key, cert] = [join(folder, 'registry.pem'), join(certificates, 'ca.crt')]
  execFileSync(
    'openssl',
    // prettier-ignore
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
      '-subj', '/CN=bench', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert],
    { stdio: 'ignore' },
  )
  return { key, cert }
}

/**
 * Pushes and pulls over TLS at several distances, each client in the same run.
 * @param {{ scratch: string, rounds: number, quick: boolean, hasCommand: Function }} options
 */
export async function measureDistance({ scratch, rounds, quick, hasCommand }) {
  const contents = quick
    ? [
        { title: '40 × 10 KiB', count: 40, size: 10 * 1024 },
        { title: '1 × 5 MiB', count: 1, size: 5 * MIB },
      ]
    : [
        { title: '400 × 10 KiB', count: 400, size: 10 * 1024 },
        { title: '1 × 50 MiB', count: 1, size: 50 * MIB },
      ]
  const missing = []
  for (const { name, withoutMany } of CLIENTS)
    if (withoutMany !== undefined && contents.some(({ count }) => count > 100))
      missing.push(`${name}, ${contents[0].title} at a distance: ${withoutMany}`)
  const clients = CLIENTS.filter(({ name, command }) => {
    if (command === undefined || hasCommand(command[0], command.slice(1))) return true
    missing.push(`${name}, at a distance: not on PATH`)
    return false
  })
  const folder = join(scratch, 'distance')
  mkdirSync(folder)
  const certificates = join(folder, 'certificates')
  const tls = writeCertificate(folder, certificates)
  const registry = await startRegistry(folder, tls)
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: tls.cert, SSL_CERT_FILE: tls.cert }
  const rows = []
  try {
    for (const { title, count, size } of contents) {
      // First without the proxy, which shows what it costs itself.
      for (const roundTrip of quick ? [undefined, 0, 40] : [undefined, 0, 40, 150]) {
        const proxy =
          roundTrip === undefined
            ? { port: registry.port, takeConnections: () => '–', stop() {} }
            : await startDelayProxy({ port: registry.port, roundTrip })
        const samples = new Map()
        for (let round = 0; round < rounds; round++) {
          const layout = join(folder, 'layout')
          writeLayout(layout, count, size)
          for (const client of clients) {
            if (count > 100 && client.withoutMany !== undefined) continue
            const repository = `distance/${rows.length}/${round}/${client.name.replaceAll(/\W+/g, '-')}`
            const reference = `127.0.0.1:${proxy.port}/${repository}:v1`
            const target = join(folder, 'pulled')
            const given = { layout, target, from: reference, to: reference }
            for (const what of ['push', 'pull']) {
              registry.takeRequests()
              proxy.takeConnections()
              const [command, args] = client[what]({ ...given, ca: tls.cert, certificates })
              const { wall } = await measure(command, args, { env })
              const key = `${what}\n${client.name}`
              samples.set(key, [
                ...(samples.get(key) ?? []),
                { wall, requests: registry.takeRequests(), connections: proxy.takeConnections() },
              ])
            }
            rmSync(target, { recursive: true, force: true })
          }
          rmSync(layout, { recursive: true, force: true })
        }
        proxy.stop()
        for (const what of ['push', 'pull'])
          rows.push([
            `${title}, ${what}, ${roundTrip === undefined ? 'no proxy' : `${roundTrip} ms`}`,
            ...clients.map(({ name }) => {
              const measured = samples.get(`${what}\n${name}`)
              if (measured === undefined) return '–'
              const of = (pick) => median(measured.map(pick))
              const requests = of((sample) => sample.requests)
              const connections = of((sample) => sample.connections)
              return `${of((sample) => sample.wall).toFixed(2)} (${requests}/${connections})`
            }),
          ])
      }
    }
  } finally {
    registry.stop()
  }
  return {
    title:
      'Over TLS, with the round trip that a proxy adds: seconds of the whole process (requests/connections), median.',
    head: ['', ...clients.map(({ name }) => name)],
    rows,
    missing,
  }
}
