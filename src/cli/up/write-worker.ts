import { escapeUnseen } from '../../bytes/visible.ts'
import { encodeUtf8 } from '../../bytes/text.ts'
import type { RunApp } from '../../run/app/run-app.ts'
import { bindingsOf } from '../../run/worker-loader/bindings.ts'
import { MAIN_MODULE, workerModules } from '../../run/worker-loader/worker-modules.ts'
import type { OperationOptions } from '../../types.ts'
import { writeFolder, type WrittenFolder } from '../registry/write-folder.ts'

// A date on which all features in use are enabled without a flag.
const COMPATIBILITY_DATE = '2025-11-17'

/** The source of an application, and its digest. */
interface WorkerOrigin {
  readonly source: string
  readonly digest: string | undefined
}

interface WrittenWorker extends WrittenFolder {
  /** Bindings of variables without a default: the Worker does not start without them. */
  readonly requiredVariables: readonly string[]
}

/**
 * Writes an application to a new folder as a Worker that is ready to deploy.
 * @throws `ERR_UNSUPPORTED` for names that no binding can have; see `bindingsOf`.
 */
export async function writeWorker(
  run: RunApp,
  origin: WorkerOrigin,
  directory: string,
  platform: string,
  { maxMemory, ...options }: OperationOptions & { readonly maxMemory?: number },
): Promise<WrittenWorker> {
  const { keyValue, required } = bindingsOf(run)
  const modules = await workerModules(run, maxMemory === undefined ? {} : { maxMemory })
  const written = await writeFolder(directory, platform, options, async (write) => {
    for (const [name, module] of modules) {
      const bytes = 'js' in module ? encodeUtf8(module.js) : undefined
      await write(
        name,
        bytes ?? ('wasm' in module ? module.wasm : (module as { data: Uint8Array }).data),
      )
    }
    await write('wrangler.jsonc', encodeUtf8(wranglerConfig(run.name, keyValue)))
    await write('README.md', encodeUtf8(readme(run.name, origin, required)))
  })
  return { ...written, requiredVariables: required }
}

function wranglerConfig(name: string, keyValue: readonly string[]): string {
  const config = {
    name: workerName(name),
    main: MAIN_MODULE,
    compatibility_date: COMPATIBILITY_DATE,
    ...(keyValue.length > 0 && {
      // Without an id: wrangler makes the namespace when it deploys.
      kv_namespaces: keyValue.map((binding) => ({ binding })),
    }),
  }
  return `${JSON.stringify(config, undefined, 2)}\n`
}

/** A valid Worker name: lower-case letters, digits and hyphens, at most 63 characters. */
function workerName(name: string): string {
  const plain = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 63)
  return plain.replace(/^-+|-+$/g, '') || 'app'
}

function readme(
  name: string,
  { source, digest }: WorkerOrigin,
  required: readonly string[],
): string {
  const secrets = required.map((binding) => codeSpan(`npx wrangler secret put ${binding}`))
  const local = required.map((binding) => codeSpan(`${binding}=…`))
  const origin =
    digest === undefined ? codeSpan(source) : `${codeSpan(source)} (${codeSpan(digest)})`
  return `# A Worker for ${codeSpan(name)}

A Cloudflare Worker made of ${origin} by \`spindle build-worker\`. Deploy it with \`npx wrangler deploy\`${
    secrets.length === 0 ? '' : `, and give it its variables: ${secrets.join(', ')}`
  }.

Try it on this machine before with \`npx wrangler dev\`${
    local.length === 0
      ? ''
      : `, and its variables in a file \`.dev.vars\`, each in a line: ${local.join(', ')}`
  }.
`
}

/**
 * Any text as one code span of Markdown, in which nothing is markup: within a fence longer than any
 * run of backticks in it, on one line.
 * @see {@link https://spec.commonmark.org/0.31.2/#code-spans CommonMark, Code spans}
 */
export function codeSpan(text: string): string {
  const plain = escapeUnseen(text)
  const longest = Math.max(0, ...(plain.match(/`+/g) ?? []).map((run) => run.length))
  const fence = '`'.repeat(longest + 1)
  // One space on either side is taken off again; a text of spaces alone keeps them.
  const space = plain === '' || /^`|`$|^ .*[^ ].* $/.test(plain) ? ' ' : ''
  return `${fence}${space}${plain}${space}${fence}`
}
