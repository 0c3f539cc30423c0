import { readTemplate } from './component-table.ts'
import { requireKeys, unknownKey } from './readers.ts'
import { childSpots, type Spot } from './spot.ts'

const KEYS = ['component', 'channel', 'address']

/** Finds in a `redis` trigger what every Spin host refuses when it starts; options as for `http`. */
export function checkRedisTrigger(
  spot: Spot,
  options: { readonly isInComponent?: boolean } = {},
): void {
  for (const [key, child] of childSpots(spot)) {
    if (key === 'channel' || key === 'address') readTemplate(child)
    else if (!KEYS.includes(key) && key !== 'id' && key !== 'dependencies') {
      child.report.error(child, 'unknown-key', unknownKey(key, KEYS), 'key')
    }
  }
  requireKeys(spot, options.isInComponent === true ? ['channel'] : ['component', 'channel'])
}
