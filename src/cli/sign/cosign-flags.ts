import { type Command, Option } from 'commander'
import { UsageError } from '../terminal/io.ts'
import { switchOption } from '../terminal/switch-option.ts'

/** A flag of cosign that is not supported. */
interface AbsentFlag {
  readonly flag: string
  readonly of: readonly CosignCommand[]
  /** The alternative, for the message. */
  readonly instead: string
  /** The only value that is accepted, because it matches the behaviour. */
  readonly harmless?: string
}

type CosignCommand = 'sign' | 'verify' | 'generate-key-pair'

const BOTH = ['sign', 'verify'] as const
const ALL = [...BOTH, 'generate-key-pair'] as const
const LOGIN = 'log in with "spindle registry login HOST"; logins of Docker and podman are used too'
const TLS = 'add your own certificate authorities with NODE_EXTRA_CA_CERTS'
const CERTIFICATE =
  'certificates come from --fulcio-url, or in code from a CertifyingSigner of "spindle/sign"'
const PARTS = 'use --bundle FILE, which contains all parts, or --json'
const ROOT = 'list the authorities in a trusted_root.json, and give it with --trusted-root'

/** Unsupported flags of cosign 2 and 3. A test compares this list with the help of both. */
export const ABSENT_FLAGS: readonly AbsentFlag[] = [
  absent(
    '--sk',
    BOTH,
    'hardware keys are supported in code only, by a Signer of "spindle/sign"',
    'false',
  ),
  absent('--slot', BOTH, 'hardware keys are supported in code only, by a Signer of "spindle/sign"'),
  absent(
    '--kms',
    ['generate-key-pair'],
    'key services are supported in code only, by a Signer of "spindle/sign"',
  ),
  absent('--k8s-keychain', BOTH, LOGIN, 'false'),
  absent('--registry-username', BOTH, LOGIN),
  absent('--registry-password', BOTH, LOGIN),
  absent('--registry-token', BOTH, LOGIN),
  absent('--registry-cacert', BOTH, TLS),
  absent(
    '--registry-client-cert',
    BOTH,
    'use a proxy that presents the certificate to the registry',
  ),
  absent(
    '--registry-client-key',
    BOTH,
    'use a proxy that presents the certificate to the registry',
  ),
  absent('--registry-server-name', BOTH, 'use the host name in the certificate of the registry'),
  absent(
    '--registry-referrers-mode',
    ['sign'],
    'support for referrers is detected; --attach selects the storage format',
  ),
  absent('--attachment', BOTH, 'sign and verify the attachment by its own digest'),
  absent(
    '--attachment-tag-prefix',
    BOTH,
    'tags have the default names of cosign; COSIGN_REPOSITORY selects another repository',
  ),
  absent('--certificate', ['sign'], CERTIFICATE),
  absent('--certificate-chain', ['sign'], CERTIFICATE),
  absent('--issue-certificate', ['sign'], 'sign without --key to get a certificate', 'false'),
  absent(
    '--insecure-skip-verify',
    ['sign'],
    'responses of services are always verified before anything is written',
    'false',
  ),
  absent(
    '--fulcio-auth-flow',
    ['sign'],
    'the token comes from --identity-token, the CI job, or a login in a browser, in this order',
  ),
  absent(
    '--oidc-provider',
    ['sign'],
    'the token of a CI job is detected; give another one with --identity-token',
  ),
  absent(
    '--oidc-client-secret-file',
    ['sign'],
    'get the token from the issuer, and give it with --identity-token',
  ),
  absent('--oidc-redirect-url', ['sign'], 'the login uses the device flow, which has no redirect'),
  absent('--output-certificate', ['sign'], PARTS),
  absent('--output-payload', ['sign'], PARTS),
  absent('--output-signature', ['sign'], PARTS),
  absent('--payload', BOTH, 'the payload is made from the digest; sign another payload in code'),
  absent('--timestamp-client-cacert', ['sign'], TLS),
  absent(
    '--timestamp-client-cert',
    ['sign'],
    'use a proxy that presents the certificate to the authority',
  ),
  absent(
    '--timestamp-client-key',
    ['sign'],
    'use a proxy that presents the certificate to the authority',
  ),
  absent(
    '--timestamp-server-name',
    ['sign'],
    'use the host name in the certificate of the authority',
  ),
  absent(
    '--allow-certificate-chain',
    ['verify'],
    'bundles of version 0.3 contain no chain: put intermediates into --trusted-root',
    'false',
  ),
  absent('--ca-intermediates', ['verify'], ROOT),
  absent('--ca-roots', ['verify'], ROOT),
  absent('--certificate', ['verify'], 'give the public key of the certificate with --key'),
  absent('--certificate-chain', ['verify'], ROOT),
  absent('--timestamp-certificate-chain', ['verify'], ROOT),
  absent(
    '--sct',
    ['verify'],
    'the SCT must be embedded in the certificate; --insecure-ignore-sct accepts none',
  ),
  absent(
    '--signature',
    ['verify'],
    'signatures are read from the registry; verify a bundle file in code, with verifyBundle',
  ),
  absent(
    '--signature-digest-algorithm',
    ['verify'],
    'the key determines the digest algorithm: leave it out',
    'sha256',
  ),
  absent(
    '--check-claims',
    ['verify'],
    'claims are always checked: a signature over other content proves nothing',
    'true',
  ),
  absent(
    '--local-image',
    ['verify'],
    'copy it to a registry first, for example to "spindle serve"',
    'false',
  ),
  absent('--private-infrastructure', ['verify'], 'use --insecure-ignore-tlog', 'false'),
  absent('--rekor-url', ['verify'], 'the log is not contacted: its key is in --trusted-root'),
  absent('--output-file', ALL, 'redirect stderr to a file, for example with 2>FILE'),
  absent('--timeout', ALL, 'each request has its own timeout; Ctrl-C stops the command'),
  absent('--verbose', ALL, '--json prints all details', 'false'),
]

/** Flags of cosign that are accepted and ignored: they ask for the default behaviour. */
export const IDLE_FLAGS: readonly AbsentFlag[] = [
  absent('--offline', ['verify'], 'only the registry is ever contacted', 'true'),
  absent('--max-workers', ['verify'], 'signatures are read until there are enough'),
  absent('--experimental-oci11', ['verify'], 'referrers are always read', 'true'),
]

function absent(
  flag: string,
  of: readonly CosignCommand[],
  instead: string,
  harmless?: string,
): AbsentFlag {
  return { flag, of, instead, ...(harmless !== undefined && { harmless }) }
}

/** Adds cosign's other flags, hidden: refused with an alternative, or ignored. */
export function addCosignFlags(command: Command, name: CosignCommand): Command {
  for (const { flag, of, instead, harmless } of ABSENT_FLAGS)
    if (of.includes(name))
      command.addOption(
        hidden(flag, harmless, (value) => {
          if (value !== harmless) throw new UsageError(`${flag} is not supported: ${instead}`)
        }),
      )
  for (const { flag, of, harmless } of IDLE_FLAGS)
    if (of.includes(name)) command.addOption(hidden(flag, harmless, () => {}))
  return command
}

/** @param switchValue `true` or `false` for a switch, which needs no value. */
function hidden(
  flag: string,
  switchValue: string | undefined,
  read: (value: string) => void,
): Option {
  const isSwitch = switchValue === 'true' || switchValue === 'false'
  const option = isSwitch ? switchOption(flag, '') : new Option(`${flag} <value>`)
  return option.argParser(read).hideHelp()
}
