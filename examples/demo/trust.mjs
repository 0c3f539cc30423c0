import {
  createKeySigner,
  createRepository,
  createVerifier,
  generateKeyPair,
  loadApp,
  pull,
  push,
  sign,
  verify,
} from 'spindle'
import { readDirectory } from 'spindle/node'
import { formatPublicKey } from 'spindle/sign'

/** The application is signed with a new key; with its signature it is pulled, any other copy is not. */
export async function tell({ directory, place, tag, remote, counter, meter, say, timed, assert }) {
  const target = `${place.name}/spindle-hello:${tag}`
  const pair = await generateKeyPair()
  const key = await formatPublicKey(pair.publicKey)
  const policy = { key, requireTransparencyLog: false }

  const signed = await timed(async () =>
    sign(target, await createKeySigner(pair), { ...remote, attach: 'both' }),
  )
  const { descriptor, written } = signed.result
  say('signed', `${descriptor.digest.slice(0, 19)}… with a new key, in ${written.length} forms`)
  say('', `${counter.take().text}; ${signed.time}`)

  const verified = await timed(() => verify(target, policy, remote))
  const [{ signer }] = verified.result.signatures
  say('verified', `key ${signer.keyId.slice(0, 12)}… signed it; ${verified.time}`)

  const verifier = createVerifier(policy)
  const pulled = await timed(() => pull(target, { ...remote, verify: verifier }))
  assert(pulled.result.descriptor.digest === descriptor.digest, 'something else was pulled')
  say('pulled', `under the policy, ${pulled.result.signatures.length} signature; ${pulled.time}`)

  const refuse = async (what, reference, reason) => {
    counter.take()
    const error = await pull(reference, { ...remote, verify: verifier }).then(
      () => undefined,
      (cause) => cause,
    )
    assert(error?.code === 'ERR_POLICY_REJECTED', `${what} was not refused`)
    const said = error.rejected[0]?.error.message ?? error.message
    assert(error.reason === reason, `${what} was refused for another reason: ${said}`)
    say('refused', `${what}: ${said}`)
    say('', counter.take().text)
  }

  // Somebody adds a script, and puts the signature of what was signed beside the outcome.
  const tampered = `${target}-tampered`
  const files = new Map(await readDirectory(directory))
  files.set('static/evil.js', new TextEncoder().encode('alert(1)'))
  const other = await push(await loadApp(files), tampered, remote)
  assert(other.descriptor.digest !== descriptor.digest, 'nothing was changed')
  const repository = createRepository(tampered, remote)
  const tagOf = ({ digest }) => `${digest.replace(':', '-')}.sig`
  await repository.tag(await repository.resolve(tagOf(descriptor)), tagOf(other.descriptor))
  await refuse('a tampered copy', tampered, 'NO_MATCHING_SIGNATURE')

  // The mirror has all of the application, but nobody's signature.
  await refuse('an unsigned copy', `${place.name}/spindle-mirror:${tag}`, 'NO_SIGNATURES')
  meter.take()
}
