import type { LogLine } from 'spindle/worker-loader'

/** One line of JSON for each event, as platforms collect them. Never headers, bodies or queries. */
export function logEvent(event: string, details: Readonly<Record<string, unknown>> = {}): void {
  const { error, ...rest } = details
  const why =
    error instanceof Error
      ? { error: error.message, ...('code' in error && { code: error.code }) }
      : error === undefined
        ? {}
        : { error: String(error) }
  console.log(JSON.stringify({ event, ...rest, ...why }))
}

/** What a component printed, or what is said about it. */
export function logAppLine({ component, stream, text }: LogLine): void {
  logEvent('app', { component, stream, text })
}
