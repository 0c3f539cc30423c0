// What Node takes for a pull by itself: GETs of node:http, SHA-256 and files, without retries, limits or a line of ours.
import { createHash } from 'node:crypto'
import { closeSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { join } from 'node:path'
import process from 'node:process'
import { say } from '../process.mjs'

const [reference, folder] = process.argv.slice(2)
const [, host, repository, tag] = /^([^/]+)\/(.+):([^:]+)$/.exec(reference)
const { hostname, port } = new URL(`http://${host}`)
const agent = new Agent({ keepAlive: true })
const before = process.resourceUsage().maxRSS * 1024
let requests = 0

/** @param {(chunk: Buffer) => void} take */
function read(path, take, headers = {}) {
  requests++
  return new Promise((resolve, reject) => {
    get({ hostname, port, path: `/v2/${repository}/${path}`, agent, headers }, (message) => {
      message.on('data', take).on('end', resolve).on('error', reject)
    }).on('error', reject)
  })
}

async function pullBlob({ digest }) {
  const hash = createHash('sha256')
  const temporary = join(folder, `.${digest.slice(7)}`)
  const file = openSync(temporary, 'wx')
  await read(`blobs/${digest}`, (chunk) => {
    hash.update(chunk)
    writeSync(file, chunk)
  })
  closeSync(file)
  if (`sha256:${hash.digest('hex')}` !== digest) throw new Error(`${digest} is something else`)
  renameSync(temporary, join(folder, digest.slice(7)))
}

mkdirSync(folder, { recursive: true })
const started = performance.now()
const chunks = []
const accept = 'application/vnd.oci.image.manifest.v1+json'
await read(`manifests/${tag}`, (chunk) => chunks.push(chunk), { accept })
const { config, layers } = JSON.parse(Buffer.concat(chunks).toString())
const blobs = [config, ...layers].values()
await Promise.all(
  Array.from({ length: 8 }, async () => {
    for (const blob of blobs) await pullBlob(blob)
  }),
)
say({ seconds: (performance.now() - started) / 1000, requests, before })
