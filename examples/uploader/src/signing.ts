import type { Signer, WebKeyPair } from 'spindle/sign'
import { find } from '../../page/dom.ts'
import { saveFile } from '../../page/save-file.ts'

let pair: Promise<WebKeyPair> | undefined
let isKept = false

const loadSign = () => import('spindle/sign')

export function isSigning(): boolean {
  return find<HTMLInputElement>('sign').checked
}

/** The key is made when it is first asked for, and lives as long as the page. */
export function listenToSigning(): void {
  find('sign').addEventListener('change', () => {
    find('key').hidden = !isSigning()
    if (isSigning()) void ownPair()
    showHint()
  })
  find('private-key').addEventListener('click', async () => {
    const { formatPrivateKey } = await loadSign()
    saveFile('spindle.key', await formatPrivateKey((await ownPair()).privateKey))
    isKept = true
    showHint()
  })
  find('public-key').addEventListener('click', async () => {
    const { formatPublicKey } = await loadSign()
    saveFile('spindle.pub', await formatPublicKey((await ownPair()).publicKey))
  })
}

export async function ownSigner(): Promise<Signer> {
  const { createKeySigner } = await loadSign()
  return createKeySigner(await ownPair())
}

/** As links have it: the DER in base64 for addresses. */
export async function ownPublicKey(): Promise<string> {
  const { formatPublicKey } = await loadSign()
  const pem = await formatPublicKey((await ownPair()).publicKey)
  return pem
    .replace(/-----[^-]+-----|\s/g, '')
    .replaceAll('+', '-')
    .replaceAll('/', '_')
}

function ownPair(): Promise<WebKeyPair> {
  return (pair ??= loadSign().then(({ generateKeyPair }) => generateKeyPair()))
}

function showHint(): void {
  find('sign-hint').textContent = isKept
    ? 'You have the private key; keep it secret. Hand out the public key, with it others verify.'
    : 'The key is only in this page: download it if you want to sign with it again.'
}
