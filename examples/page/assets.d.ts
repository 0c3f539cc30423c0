/** What the bundler takes in as bytes or text. */
declare module '*.wasm' {
  const bytes: Uint8Array
  export default bytes
}
declare module '*.toml' {
  const text: string
  export default text
}
declare module '*.html' {
  const text: string
  export default text
}
declare module '*.css' {
  const text: string
  export default text
}
declare module '*.svg' {
  const text: string
  export default text
}
