import { WELL_KNOWN } from './built-in.ts'
import type { Router } from './router.ts'

/** What Spin says at the start of routes that no request reaches. */
export function describeUnreached(router: Router<{ readonly id: string }>): string[] {
  const duplicates = router.duplicates.map(
    ({ route, replaced, effective }) => `  ${replaced.id}: ${route} (duplicate of ${effective.id})`,
  )
  return [
    ...(duplicates.length === 0
      ? []
      : ['The following component routes are duplicates and will never be used:', ...duplicates]),
    ...(router.routes.some(({ effective }) => effective.startsWith(WELL_KNOWN))
      ? [`Routes under ${WELL_KNOWN} are handled by the Spin runtime and will never be reached`]
      : []),
  ]
}
