import type { Command } from 'commander'
import type { CliIo } from '../terminal/io.ts'
import { addCopyCommand } from './registry/copy.ts'
import { addLoginCommand } from './registry/login.ts'
import { addLogoutCommand } from './registry/logout.ts'
import { addManifestCommand } from './registry/manifest.ts'
import { addPullCommand } from './registry/pull.ts'
import { addPushCommand } from './registry/push.ts'
import { addRunCommand } from './registry/run.ts'
import { addTagsCommand } from './registry/tags.ts'

const ABOUT = `
A reference is [HOST[:PORT]/]NAME[:TAG][@DIGEST]. The default host is Docker Hub, the default tag is
"latest". Credentials are read from Spin's login file, then from Docker's config.json and its credential
helpers, then from podman's auth.json.

Example:
  $ spindle registry push ghcr.io/ann/hello:1.0.0`

/** `spindle registry`, called `oci` in Spin 0.8. */
export function addRegistryCommand(program: Command, io: CliIo): void {
  const registry = program
    .command('registry')
    .alias('oci')
    .description('work with applications in OCI registries')
    .addHelpText('after', ABOUT)
  addPushCommand(registry, io)
  addPullCommand(registry, io)
  addRunCommand(registry, io)
  addLoginCommand(registry, io)
  addLogoutCommand(registry, io)
  addCopyCommand(registry, io)
  addTagsCommand(registry, io)
  addManifestCommand(registry, io)
}
