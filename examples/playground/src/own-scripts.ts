/** The only scripts that this page runs beside its own: its policy lets no other address pass. */
export const GUEST_WORKER = 'guest-worker.js'
export const PAGE_SERVICE_WORKER = 'service-worker.js'

interface Factory {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): { createScriptURL(url: string): string }
}

const policy = (globalThis as { trustedTypes?: Factory }).trustedTypes?.createPolicy(
  'spindle-worker',
  {
    createScriptURL(url) {
      if (url !== GUEST_WORKER && url !== PAGE_SERVICE_WORKER)
        throw new TypeError('no script of this page')
      return url
    },
  },
)

export function ownScript(url: typeof GUEST_WORKER | typeof PAGE_SERVICE_WORKER): string {
  return policy?.createScriptURL(url) ?? url
}
