import { type Command, Option } from 'commander'
import { UsageError } from '../terminal/io.ts'
import { switchOption } from '../terminal/switch-option.ts'

/** A flag of cosign's that is not here. */
interface AbsentFlag {
  readonly flag: string
  readonly of: readonly CosignCommand[]
  /** What to do in its place. */
  readonly instead: string
  /** The only thing that it may say: that of which nothing else is done here anyway. */
  readonly harmless?: string
}

type CosignCommand = 'sign' | 'verify' | 'generate-key-pair'

const BOTH = ['sign', 'verify'] as const
const ALL = [...BOTH, 'generate-key-pair'] as const
const LOGIN = 'log in with "spindle registry login HOST"; logins of Docker and podman are used too'
const TLS = 'name authorities of your own in NODE_EXTRA_CA_CERTS'
const CERTIFICATE = 'certificates come from --fulcio-url, or a CertifyingSigner of "spindle/sign"'
const PARTS = '--bundle FILE writes all of it, and --json says what was written'
const ROOT = 'name who is trusted in a trusted_root.json, and that with --trusted-root'

/** Of cosign 2 and 3. A test compares this list with the help of both. */
export const ABSENT_FLAGS: readonly AbsentFlag[] = [
  absent('--sk', BOTH, 'a key in hardware signs from code, as a Signer of "spindle/sign"', 'false'),
  absent('--slot', BOTH, 'a key in hardware signs from code, as a Signer of "spindle/sign"'),
  absent(
    '--kms',
    ['generate-key-pair'],
    'a key service is reached from code, as a Signer of "spindle/sign"',
  ),
  absent('--k8s-keychain', BOTH, LOGIN, 'false'),
  absent('--registry-username', BOTH, LOGIN),
  absent('--registry-password', BOTH, LOGIN),
  absent('--registry-token', BOTH, LOGIN),
  absent('--registry-cacert', BOTH, TLS),
  absent(
    '--registry-client-cert',
    BOTH,
    'put a proxy that has the certificate before the registry',
  ),
  absent('--registry-client-key', BOTH, 'put a proxy that has the certificate before the registry'),
  absent('--registry-server-name', BOTH, 'name the registry as its certificate does'),
  absent(
    '--registry-referrers-mode',
    ['sign'],
    'the registry is asked what it can; --attach says which form is written',
  ),
  absent('--attachment', BOTH, 'sign and verify the attachment by its own digest'),
  absent(
    '--attachment-tag-prefix',
    BOTH,
    'tags are named as cosign names them by default; COSIGN_REPOSITORY names another repository',
  ),
  absent('--certificate', ['sign'], CERTIFICATE),
  absent('--certificate-chain', ['sign'], CERTIFICATE),
  absent('--issue-certificate', ['sign'], 'sign without --key for a certificate', 'false'),
  absent(
    '--insecure-skip-verify',
    ['sign'],
    'what services answer is always checked before anything is written',
    'false',
  ),
  absent(
    '--fulcio-auth-flow',
    ['sign'],
    'a token is taken from --identity-token, the CI job, or a login on any device, in this order',
  ),
  absent(
    '--oidc-provider',
    ['sign'],
    'the token of a CI job is found by itself; give another one with --identity-token',
  ),
  absent(
    '--oidc-client-secret-file',
    ['sign'],
    'get the token from the issuer, and give it with --identity-token',
  ),
  absent('--oidc-redirect-url', ['sign'], 'nobody is redirected: the login is on any device'),
  absent('--output-certificate', ['sign'], PARTS),
  absent('--output-payload', ['sign'], PARTS),
  absent('--output-signature', ['sign'], PARTS),
  absent(
    '--payload',
    BOTH,
    'what is signed is made from the digest; sign from code for another payload',
  ),
  absent('--timestamp-client-cacert', ['sign'], TLS),
  absent(
    '--timestamp-client-cert',
    ['sign'],
    'put a proxy that has the certificate before the authority',
  ),
  absent(
    '--timestamp-client-key',
    ['sign'],
    'put a proxy that has the certificate before the authority',
  ),
  absent('--timestamp-server-name', ['sign'], 'name the authority as its certificate does'),
  absent(
    '--allow-certificate-chain',
    ['verify'],
    'bundles of version 0.3 bring no chain: intermediates belong into --trusted-root',
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
    'the proof has to be inside the certificate; --insecure-ignore-sct does without',
  ),
  absent(
    '--signature',
    ['verify'],
    'signatures are read where they are stored; verify a bundle in a file from code, with verifyBundle',
  ),
  absent(
    '--signature-digest-algorithm',
    ['verify'],
    'the key says how it hashes: leave it out',
    'sha256',
  ),
  absent(
    '--check-claims',
    ['verify'],
    'a signature over something else proves nothing, so that this is always checked',
    'true',
  ),
  absent(
    '--local-image',
    ['verify'],
    'copy it to a registry first: "spindle serve" is one',
    'false',
  ),
  absent('--private-infrastructure', ['verify'], 'say --insecure-ignore-tlog', 'false'),
  absent('--rekor-url', ['verify'], 'nobody is asked: the key of the log is in --trusted-root'),
  absent('--output-file', ALL, 'send stderr to a file, as with 2>FILE'),
  absent('--timeout', ALL, 'requests end by themselves; Ctrl-C ends all'),
  absent('--verbose', ALL, '--json says all there is to say', 'false'),
]

/** What cosign asks for with these is so in any case. */
export const IDLE_FLAGS: readonly AbsentFlag[] = [
  absent('--offline', ['verify'], 'nobody but the registry is ever asked', 'true'),
  absent('--max-workers', ['verify'], 'signatures are read until there are enough'),
  absent('--experimental-oci11', ['verify'], 'referrers are always looked at', 'true'),
]

function absent(
  flag: string,
  of: readonly CosignCommand[],
  instead: string,
  harmless?: string,
): AbsentFlag {
  return { flag, of, instead, ...(harmless !== undefined && { harmless }) }
}

/** Lets be typed what cosign's users may type: refused with what to do instead, or passed over. */
export function addCosignFlags(command: Command, name: CosignCommand): Command {
  for (const { flag, of, instead, harmless } of ABSENT_FLAGS)
    if (of.includes(name))
      command.addOption(
        hidden(flag, harmless, (value) => {
          if (value !== harmless) throw new UsageError(`${flag} is not known here: ${instead}`)
        }),
      )
  for (const { flag, of, harmless } of IDLE_FLAGS)
    if (of.includes(name)) command.addOption(hidden(flag, harmless, () => {}))
  return command
}

/** @param switchValue Of a switch, which may stand there bare. */
function hidden(
  flag: string,
  switchValue: string | undefined,
  read: (value: string) => void,
): Option {
  const isSwitch = switchValue === 'true' || switchValue === 'false'
  const option = isSwitch ? switchOption(flag, '') : new Option(`${flag} <value>`)
  return option.argParser(read).hideHelp()
}
