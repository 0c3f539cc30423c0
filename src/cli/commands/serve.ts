import { resolve } from 'node:path'
import type { Command } from 'commander'
import { createBasicAuthorizer } from '../../serve/http/basic.ts'
import { createRegistryHandler } from '../../serve/registry/handler.ts'
import { MAX_UPLOADS } from '../../serve/registry/upload-ledger.ts'
import { createMemoryStorage } from '../../serve/storage/memory.ts'
import { createFileStorage } from '../../node/storage/file-storage.ts'
import { createNodeHasher } from '../../node/files/hasher.ts'
import { type Address, addressOption, countOption, sizeOption } from '../terminal/arguments.ts'
import { type CliIo, UsageError } from '../terminal/io.ts'
import { refuseIdleFlags } from '../terminal/limit-flags.ts'
import { addListenOptions, type ListenFlags } from '../serve/listen-flags.ts'
import { createOutput } from '../terminal/output.ts'
import {
  type AccessFlags,
  addAccessOptions,
  isLocal,
  readLogins,
  warnOfAccess,
} from '../serve/server-access.ts'
import { serveUntilStopped } from '../serve/serve-until-stopped.ts'
import { readTls } from '../serve/tls-files.ts'

interface ServeFlags extends AccessFlags, ListenFlags {
  readonly address?: Address
  readonly directory?: string
  readonly htpasswdFile?: string
  readonly unauthenticated?: boolean
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly maxBlobSize?: number
  readonly maxManifestSize?: number
  readonly maxUploads?: number
  readonly maxUploadSize?: number
  readonly readOnly?: boolean
  readonly json?: boolean
}

const DEFAULT_ADDRESS: Address = { host: '127.0.0.1', port: 8080 }

const EXAMPLE = `
With --htpasswd-file, only the users in the file can pull, push and delete. Without it, everyone can, and
the address must be a loopback address unless --unauthenticated is given. Without --directory, content is
kept in memory and lost at exit. Press Ctrl-C to stop.

Example:
  $ spindle serve --directory ./registry
  $ spindle registry push 127.0.0.1:8080/hello:1

  $ htpasswd -cB users ann
  $ spindle serve --address 0.0.0.0:443 --htpasswd-file users --tls-cert cert.pem --tls-key key.pem`

export function addServeCommand(program: Command, io: CliIo): void {
  const serve = program
    .command('serve')
    .description('run an OCI registry')
    .option(
      '--address <host:port>',
      'address to listen on; port 0 picks a free port (default: 127.0.0.1:8080)',
      addressOption,
    )
    .option('--directory <folder>', 'folder for pushed content (default: in memory)')
    .option('--tls-cert <file>', 'serve HTTPS with this certificate, in PEM format')
    .option('--tls-key <file>', 'private key of the certificate, in PEM format')
    .option('--htpasswd-file <file>', 'users who can pull, push and delete, from "htpasswd -B"')
    .option('--unauthenticated', 'let everyone pull, push and delete, on any address')
  addListenOptions(addAccessOptions(serve))
    .option(
      '--max-uploads <count>',
      `maximum open uploads, half of them in one repository (default: ${MAX_UPLOADS})`,
      countOption,
    )
    .option(
      '--max-upload-size <bytes>',
      'maximum total size of unfinished uploads, half of it in one repository (default: 64GiB)',
      sizeOption,
    )
    .option('--max-blob-size <bytes>', 'maximum size of a blob (default: 16GiB)', sizeOption)
    .option(
      '--max-manifest-size <bytes>',
      'maximum size of a manifest (default: 4MiB; most clients read no more)',
      sizeOption,
    )
    .option('--read-only', 'refuse pushes and deletions')
    .option('--json', 'print the result as JSON: { url }')
    .addHelpText('after', EXAMPLE)
    .action((flags: ServeFlags) => runServe(flags, io))
}

async function runServe(flags: ServeFlags, io: CliIo): Promise<void> {
  const output = createOutput(io, flags)
  if (flags.readOnly === true)
    refuseIdleFlags(
      flags,
      ['maxBlobSize', 'maxManifestSize', 'maxUploads', 'maxUploadSize', 'maxBufferedSize'],
      '--read-only, which accepts no uploads',
    )
  const address = flags.address ?? DEFAULT_ADDRESS
  const path = (given: string | undefined): string | undefined =>
    given === undefined ? undefined : resolve(io.cwd, given)
  const users = path(flags.htpasswdFile)
  if (users !== undefined && flags.unauthenticated === true)
    throw new UsageError('--htpasswd-file and --unauthenticated exclude each other')
  if (users === undefined && flags.unauthenticated !== true && !isLocal(address))
    throw new UsageError(
      `${address.host} can be reached from other machines: choose who can use the registry, the users in --htpasswd-file FILE or everyone with --unauthenticated`,
    )
  const authenticate = await readLogins(users, flags)
  const tls = await readTls(path(flags.tlsCert), path(flags.tlsKey))
  const directory = path(flags.directory)
  const handler = createRegistryHandler({
    storage: directory === undefined ? createMemoryStorage() : createFileStorage(directory),
    readOnly: flags.readOnly ?? false,
    createHasher: createNodeHasher,
    onError: (error) => output.warn(error instanceof Error ? error.message : String(error)),
    ...(authenticate !== undefined && { authorize: createBasicAuthorizer({ authenticate }) }),
    ...(flags.cors !== undefined && { cors: { origins: flags.cors } }),
    ...(flags.maxBlobSize !== undefined && { maxBlobBytes: flags.maxBlobSize }),
    ...(flags.maxManifestSize !== undefined && { maxManifestBytes: flags.maxManifestSize }),
    ...(flags.maxBufferedSize !== undefined && { maxBufferedBytes: flags.maxBufferedSize }),
    ...(flags.maxUploads !== undefined && {
      maxUploads: flags.maxUploads,
      maxRepositoryUploads: Math.ceil(flags.maxUploads / 2),
    }),
    ...(flags.maxUploadSize !== undefined && {
      maxUploadBytes: flags.maxUploadSize,
      maxRepositoryUploadBytes: Math.ceil(flags.maxUploadSize / 2),
    }),
  })
  const place = { ...address, tls, allowedHosts: flags.allowHost, limits: flags }
  await serveUntilStopped(handler, place, io, (url) => {
    warnOfAccess(output, url, {
      address,
      hasLogins: users !== undefined,
      hasTls: tls !== undefined,
      readOnly: flags.readOnly === true,
    })
    output.line(`Serving an OCI registry on ${url}`)
    output.json({ url })
  })
}
