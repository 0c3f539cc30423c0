// npm run size: what each subpath brings along, of the built package.
import process from 'node:process'
import { formatSizes, measureSizes } from './bundle.mjs'

const rows = await measureSizes()
console.log(formatSizes(rows))
process.exitCode = rows.every((row) => row.fits) ? 0 : 1
