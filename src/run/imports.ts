import type { FetchLike } from '../types.ts'
import type { HostImports } from './component/host.ts'
import { asDependency, sharesFiles } from './dependencies.ts'
import { createHosts, type HostOptions } from './hosts.ts'
import type { RunComponent } from './run-app.ts'
import type { CliOptions } from './wasi/cli.ts'
import type { DirectoryNode } from './wasi/file-system.ts'

interface ImportsOptions extends Omit<HostOptions, 'send' | 'cli'> {
  /** Sends what the component may reach: itself, or what a dependency shares of it. */
  readonly sendFor: (component: RunComponent) => FetchLike
  readonly cli: Omit<CliOptions, 'env'>
}

/** The same for a component and for all that it depends on, each with what is its own. */
export function createImports({ sendFor, cli, ...options }: ImportsOptions): HostImports {
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
  return (name, dependency) =>
    dependency === undefined ? own(name) : others.get(dependency)?.(name)
}
