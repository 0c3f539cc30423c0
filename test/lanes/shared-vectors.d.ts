declare module 'virtual:shared-vectors/*' {
  const files: Readonly<Record<string, string>>
  export default files
}
