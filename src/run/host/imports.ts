import type { FetchLike } from '../../types.ts'
import type { CoreHost, HostImports } from '../component/abi/host-imports.ts'
import { asDependency, sharesFiles } from '../app/dependencies.ts'
import { createHosts, type HostOptions } from './hosts.ts'
import type { RunComponent } from '../app/run-app.ts'
import type { CliOptions } from './wasi/cli.ts'
import type { DirectoryNode } from './wasi/file-system.ts'
import { createPreview1 } from './wasi/preview1.ts'

/** Options that are the same for all components and requests of an application. */
export type SharedHosts = Pick<
  HostOptions,
  'variables' | 'keyValue' | 'sqlite' | 'jspi' | 'interfaces'
>

interface ImportsOptions extends Omit<HostOptions, 'send' | 'cli'> {
  /** Sends what the component may reach: itself, or what a dependency shares of it. */
  readonly sendFor: (component: RunComponent) => FetchLike
  readonly cli: Omit<CliOptions, 'env'>
}

/** What a component and all that it depends on are linked with, each with what is its own. */
interface ComponentHosts {
  readonly imports: HostImports
  /** For one core module, which is the component's or that of a dependency. */
  readonly preview1: (dependency?: string) => CoreHost
}

export function createImports({ sendFor, cli, ...options }: ImportsOptions): ComponentHosts {
  const hostsFor = (component: RunComponent, files: DirectoryNode | undefined): HostImports =>
    createHosts({
      ...options,
      component,
      files,
      send: sendFor(component),
      cli: { ...cli, env: Object.entries(component.env) },
    })
  const { component, files } = options
  const own = hostsFor(component, files)
  const others = new Map(
    component.dependencies.map((dependency) => [
      dependency.name,
      hostsFor(asDependency(component, dependency), sharesFiles(dependency) ? files : undefined),
    ]),
  )
  const { stdin, stdout, stderr } = cli
  return {
    imports: (name, dependency) =>
      dependency === undefined ? own(name) : others.get(dependency)?.(name),
    preview1(name) {
      const dependency = component.dependencies.find((one) => one.name === name)
      const { env } = dependency === undefined ? component : asDependency(component, dependency)
      return createPreview1({
        args: [],
        env: Object.entries(env),
        stdin: stdin(),
        stdout: stdout(),
        stderr: stderr(),
        files: dependency === undefined || sharesFiles(dependency) ? files : undefined,
        ledger: options.budget,
      })
    },
  }
}
