import { supplyAdvice } from '../component/abi/host-imports.ts'
import type { RunComponent } from './run-app.ts'

/** Spin services that the host provides, and how a manifest requests each. */
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
 * The startup warning for a linked interface without an implementation; `undefined` when the manifest
 * does not request the service, because some toolchains import all interfaces.
 */
export function describeUnsupplied(component: RunComponent, name: string): string | undefined {
  const service = SERVICES.find(([pattern]) => pattern.test(name))
  if (service?.[1](component) !== true) return undefined
  return `imports "${name}", which nothing supplies: a call of it fails; ${supplyAdvice(name)}`
}
