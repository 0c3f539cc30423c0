/** SHA-256 in hexadecimal. */
export async function hash(text: string): Promise<string> {
  const raw = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return [...new Uint8Array(raw)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
