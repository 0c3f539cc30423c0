/** Whether this platform makes modules of bytes; Workers don't. Asked with the smallest module. */
export const canCompile: boolean = await WebAssembly.compile(
  Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0),
).then(
  () => true,
  () => false,
)
