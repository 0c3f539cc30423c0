import { type Command, Option } from 'commander'
import { variableOption } from './app-variables.ts'
import { addressOption, pairOption, sizeOption, timeLimitOption } from '../terminal/arguments.ts'
import { addListenOptions } from '../serve/listen-flags.ts'
import { addSizeOptions } from '../terminal/limit-flags.ts'
import { addPolicyOptions } from '../sign/policy-flags.ts'
import { addDownloadOptions } from '../registry/remote.ts'
import { addAllowHostOption } from '../serve/server-access.ts'

/** Bytes of a request's line and headers. As Spin, by hyper's buffer of 8 KiB and 100 pages. */
export const MAX_HEADER_SIZE: number = 8192 + 100 * 4096

/**
 * Milliseconds until a response begins. Spin sets no limit on this machine; Fermyon Cloud gives a request
 * 10 seconds and Akamai Functions 30. Twice that runs here whatever runs there, on a busy machine too.
 */
export const DEFAULT_TIMEOUT = 60_000

const oneMore = (text: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  text,
]

/** Flags of `up` and `registry run`; their names are Spin's where it has them. */
export function addRunOptions(command: Command): Command {
  command
    .option(
      '--listen <host:port>',
      'where to listen; port 0 is any free one (default: SPIN_HTTP_LISTEN_ADDR, else 127.0.0.1:3000)',
      addressOption,
    )
    .option(
      '--tls-cert <file>',
      'serve https with this certificate, in PEM (default: SPIN_TLS_CERT)',
    )
    .option('--tls-key <file>', 'the key of the certificate, in PEM (default: SPIN_TLS_KEY)')
    .option(
      '-e, --env <key=value>',
      "set in every component's environment; can be given more than once",
      pairOption,
    )
    .option(
      '--variable <key=value>',
      "a variable's value; also KEY=@FILE, @FILE.json and @FILE.toml; can be given more than once",
      variableOption,
    )
    .option(
      '-c, --component-id <id>',
      'run this component only; can be given more than once',
      oneMore,
    )
    .option(
      '--timeout <seconds>',
      `most time from a request's arrival until its response begins; 0 for no limit (default: ${DEFAULT_TIMEOUT / 1000})`,
      timeLimitOption,
    )
    .option(
      '--max-memory <size>',
      'most memory that a request may take, as in 256MiB (default: 512MiB)',
      sizeOption,
    )
    .addOption(new Option('-q, --quiet', "don't show what components print").conflicts('follow'))
    .option(
      '--follow <id>',
      'show only what this component prints; can be given more than once',
      oneMore,
    )
    .option(
      '-L, --log-dir <folder>',
      'where what components print is kept; "" for nowhere (default: SPIN_LOG_DIR, else logs in the state folder)',
    )
    .option('--truncate-logs', 'empty the log files first')
    .option(
      '--runtime-config-file <file>',
      "Spin's runtime configuration: variables, stores and databases (default: RUNTIME_CONFIG_FILE)",
    )
    .option(
      '--key-value <key=value>',
      'store a value in the default key-value store first; can be given more than once',
      pairOption,
    )
    .option(
      '--sqlite <statement>',
      'run SQL on the default database first; also @FILE, and @FILE:LABEL for another database; can be given more than once',
      oneMore,
    )
    .option(
      '--state-dir <folder>',
      'where key-value and SQLite data is kept; "" for memory (default: .spin beside a local manifest, else memory)',
    )
    .option('-k, --insecure', 'talk to the registry over plain http')
    .option(
      '--outbound-proxy',
      "send components' own requests through HTTP_PROXY, HTTPS_PROXY and ALL_PROXY too",
    )
  addDownloadOptions(command, 'a locked application or invoice').option(
    '--json',
    'answer with JSON on stdout: { url }',
  )
  command.addOption(
    new Option('--http1-max-buf-size <bytes>', "Spin's name of --max-header-size")
      .argParser(sizeOption)
      .hideHelp(),
  )
  command.addOption(
    new Option('--max-instance-memory <bytes>', "Spin's name of --max-memory")
      .argParser(sizeOption)
      .hideHelp(),
  )
  addListenOptions(command, `SPIN_HTTP1_MAX_BUF_SIZE, else ${MAX_HEADER_SIZE}`)
  addAllowHostOption(addSizeOptions(command, 'the available memory'))
  return addPolicyOptions(command, '--verify-key')
}
