/** Milliseconds: `setTimeout` counts in a signed 32-bit number of them, and fires at once above it. */
export const LONGEST_TIMER = 0x7fff_ffff
