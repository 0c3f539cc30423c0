import type { HostInterface } from '../../component/abi/items.ts'
import { err } from './result.ts'

const denied = (): unknown => err('access-denied')

/** `wasi:sockets`: linkable, and every attempt is denied. Outbound HTTP has its own interface. */
export const sockets: Readonly<Record<string, HostInterface>> = {
  'wasi:sockets/network': { functions: {} },
  'wasi:sockets/instance-network': { functions: { 'instance-network': () => ({}) } },
  'wasi:sockets/ip-name-lookup': { functions: { 'resolve-addresses': denied } },
  'wasi:sockets/tcp': { functions: {} },
  'wasi:sockets/tcp-create-socket': { functions: { 'create-tcp-socket': denied } },
  'wasi:sockets/udp': { functions: {} },
  'wasi:sockets/udp-create-socket': { functions: { 'create-udp-socket': denied } },
}
