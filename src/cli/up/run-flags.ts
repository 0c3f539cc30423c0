import { type Command, Option } from 'commander'
import { variableOption } from './app-variables.ts'
import { addressOption, pairOption, sizeOption, timeLimitOption } from '../terminal/arguments.ts'
import { addListenOptions } from '../serve/listen-flags.ts'
import { addSizeOptions } from '../terminal/limit-flags.ts'
import { addPolicyOptions } from '../sign/policy-flags.ts'
import { addDownloadOptions } from '../registry/remote.ts'
import { addAllowHostOption } from '../serve/server-access.ts'

/** Bytes of a request's line and headers. Same as Spin: hyper's buffer of 8 KiB and 100 pages. */
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

/** Flags of `up` and `registry run`, with Spin's names where it has them. */
export function addRunOptions(command: Command): Command {
  command
    .option(
      '--listen <host:port>',
      'address to listen on; port 0 picks a free port (default: SPIN_HTTP_LISTEN_ADDR, else 127.0.0.1:3000)',
      addressOption,
    )
    .option(
      '--tls-cert <file>',
      'serve HTTPS with this certificate, in PEM format (default: SPIN_TLS_CERT)',
    )
    .option(
      '--tls-key <file>',
      'private key of the certificate, in PEM format (default: SPIN_TLS_KEY)',
    )
    .option(
      '-e, --env <key=value>',
      'environment variable for all components; repeatable',
      pairOption,
    )
    .option(
      '--variable <key=value>',
      'application variable; also KEY=@FILE, @FILE.json and @FILE.toml; repeatable',
      variableOption,
    )
    .option('-c, --component-id <id>', 'run only this component; repeatable', oneMore)
    .option(
      '--timeout <seconds>',
      `maximum time from a request to the start of its response; 0 disables the limit (default: ${DEFAULT_TIMEOUT / 1000})`,
      timeLimitOption,
    )
    .option(
      '--max-memory <size>',
      'maximum memory per request, for example 256MiB (default: 512MiB)',
      sizeOption,
    )
    .addOption(
      new Option('-q, --quiet', 'do not show the output of components').conflicts('follow'),
    )
    .option('--follow <id>', 'show only the output of this component; repeatable', oneMore)
    .option(
      '-L, --log-dir <folder>',
      'folder for component logs; "" writes none (default: SPIN_LOG_DIR, else logs in the state folder)',
    )
    .option('--truncate-logs', 'empty the log files at startup')
    .option(
      '--runtime-config-file <file>',
      "runtime configuration in Spin's format: variables, stores and databases (default: RUNTIME_CONFIG_FILE)",
    )
    .option(
      '--key-value <key=value>',
      'set a key in the default key-value store at startup; repeatable',
      pairOption,
    )
    .option(
      '--sqlite <statement>',
      'run an SQL statement on the default database at startup; also @FILE, or @FILE:LABEL for another database; repeatable',
      oneMore,
    )
    .option(
      '--state-dir <folder>',
      'folder for key-value and SQLite data; "" keeps them in memory (default: .spin next to a local manifest, else memory)',
    )
    .option('-k, --insecure', 'connect to the registry over plain HTTP')
    .option(
      '--outbound-proxy',
      "also send components' outbound requests through HTTP_PROXY, HTTPS_PROXY and ALL_PROXY",
    )
  addDownloadOptions(command, 'a locked application or invoice').option(
    '--json',
    'print the result as JSON: { url }',
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
