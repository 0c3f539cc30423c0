import { supplyAdvice } from '../component/abi/host-imports.ts'
import type { RunComponent } from './run-app.ts'

/** Services of Spin's that an application reaches through a host, and how a manifest asks for one. */
const SERVICES: ReadonlyArray<readonly [service: RegExp, isAsked: (of: RunComponent) => boolean]> =
  [
    [/[:/]redis[/@]/, ({ allowedHosts }) => allowedHosts.some((host) => /^rediss?:/.test(host))],
    [/[:/]mysql[/@]/, ({ allowedHosts }) => allowedHosts.some((host) => /^mysql:/.test(host))],
    [/[:/]postgres[/@]/, ({ allowedHosts }) => allowedHosts.some((host) => /^postgres/.test(host))],
    [/[:/]mqtt[/@]/, ({ allowedHosts }) => allowedHosts.some((host) => /^mqtts?:/.test(host))],
    [/[:/]llm[/@]/, ({ aiModels }) => aiModels.length > 0],
    [/[:/]sqlite[/@]/, ({ sqliteDatabases }) => sqliteDatabases.length > 0],
  ]

/**
 * What to say at the start of an interface that is linked and that nobody supplies: nothing where the
 * manifest asks for no such service, as some toolchains import all that there are.
 */
export function describeUnsupplied(component: RunComponent, name: string): string | undefined {
  const service = SERVICES.find(([pattern]) => pattern.test(name))
  if (service?.[1](component) !== true) return undefined
  return `imports "${name}", which nothing supplies: a call of it fails; ${supplyAdvice(name)}`
}
