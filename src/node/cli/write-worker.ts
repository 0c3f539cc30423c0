import { encodeUtf8 } from '../../bytes/text.ts'
import type { RunApp } from '../../run/run-app.ts'
import { keyValueBinding, variableBinding } from '../../run/workerd/bindings.ts'
import { MAIN_MODULE, workerModules } from '../../run/workerd/worker-modules.ts'
import type { OperationOptions } from '../../types.ts'
import { writeFolder, type WrittenFolder } from './write-folder.ts'

// A date on which all that is used is on without a flag.
const COMPATIBILITY_DATE = '2025-11-17'

/** Writes an application into a new folder as a Worker that can be deployed as it is. */
export async function writeWorker(
  run: RunApp,
  origin: string,
  directory: string,
  platform: string,
  options: OperationOptions,
): Promise<WrittenFolder> {
  const modules = await workerModules(run)
  return writeFolder(directory, platform, options, async (write) => {
    for (const [name, module] of modules) {
      const bytes = 'js' in module ? encodeUtf8(module.js) : undefined
      await write(
        name,
        bytes ?? ('wasm' in module ? module.wasm : (module as { data: Uint8Array }).data),
      )
    }
    await write('wrangler.jsonc', encodeUtf8(wranglerConfig(run)))
    await write('README.md', encodeUtf8(readme(run, origin)))
  })
}

/** Variables that have no default: the Worker doesn't start without them. */
export function requiredVariables(run: RunApp): readonly string[] {
  return [...run.variables].flatMap(([name, { default: value }]) =>
    value === undefined ? [variableBinding(name)] : [],
  )
}

function wranglerConfig(run: RunApp): string {
  const labels = new Set([...run.components.values()].flatMap((one) => one.keyValueStores))
  const config = {
    name: workerName(run.name),
    main: MAIN_MODULE,
    compatibility_date: COMPATIBILITY_DATE,
    ...(labels.size > 0 && {
      // Without an id: wrangler makes the namespace when it deploys.
      kv_namespaces: [...labels].map((label) => ({ binding: keyValueBinding(label) })),
    }),
  }
  return `${JSON.stringify(config, undefined, 2)}\n`
}

/** As the platform takes names: small letters, digits and hyphens, 63 at most. */
function workerName(name: string): string {
  const plain = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 63)
  return plain.replace(/^-+|-+$/g, '') || 'app'
}

function readme(run: RunApp, origin: string): string {
  const names = requiredVariables(run)
  const secrets = names.map((name) => `\`npx wrangler secret put ${name}\``)
  const local = names.map((name) => `\`${name}=…\``)
  return `# ${run.name}

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
