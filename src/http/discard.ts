/** Lets go of an answer whose body nobody reads: otherwise it would hold its connection. */
export function discard(response: Response | undefined): void {
  void response?.body?.cancel().catch(() => {})
}
