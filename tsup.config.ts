import { defineConfig } from 'tsup'

export default defineConfig({
  entry: { index: 'src/index.ts', errors: 'src/errors.ts' },
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  dts: true,
  clean: true,
})
