import { MAX_FLAT_PARAMS } from '../abi/codec.ts'
import type { Codec, CoreType } from '../abi/model.ts'
import { formatSignature, type CoreSignature } from '../binary/core-interface.ts'
import type { Signature } from '../abi/types.ts'

function flatOf(codecs: readonly Codec[]): readonly CoreType[] {
  return codecs.flatMap(({ flat }) => flat)
}

function resultsOf({ result, returned }: Signature): readonly CoreType[] {
  return returned ? ['i32'] : (result?.flat ?? [])
}

/** The core type of a function that a module imports. */
export function loweredSignature(signature: Signature, async: boolean): CoreSignature {
  const { params, result, returned, spilled, asyncSpilled } = signature
  const flat = (async ? asyncSpilled : spilled) === undefined ? flatOf(params) : ['i32']
  if (async) return formatSignature([...flat, ...(result === undefined ? [] : ['i32'])], ['i32'])
  return returned
    ? formatSignature([...flat, 'i32'], [])
    : formatSignature(flat, resultsOf(signature))
}

/** How a module exports a function: to its end, called back for each event, or with a stack of its own. */
export type LiftedAs = 'sync' | 'callback' | 'stackful'

/** The core type of a function that a module exports. */
export function liftedSignature(signature: Signature, as: LiftedAs): CoreSignature {
  const params = signature.spilled === undefined ? flatOf(signature.params) : ['i32']
  if (as === 'sync') return formatSignature(params, resultsOf(signature))
  return formatSignature(params, as === 'callback' ? ['i32'] : [])
}

/** Of the function that is called with what a function has returned, to set it free. */
export function postReturnSignature(signature: Signature): CoreSignature {
  return formatSignature(resultsOf(signature), [])
}

/** Of `task.return` for a function. */
export function taskReturnSignature({ result }: Signature): CoreSignature {
  const flat = result?.flat ?? []
  return formatSignature(flat.length > MAX_FLAT_PARAMS ? ['i32'] : flat, [])
}

/** Whether calls pass values through the memory of a module that imports a function, or exports it. */
export function usesMemory({ params, result, spilled, returned }: Signature): boolean {
  return (
    spilled !== undefined ||
    returned ||
    result?.pointers === true ||
    params.some(({ pointers }) => pointers)
  )
}
