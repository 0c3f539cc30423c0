/** The rules of the distribution specification and of Bindle, for the storage that `keepIn` names. */
import '../bindle/handler.test.ts'
import '../registry/end-01-ping.test.ts'
import '../registry/end-02-10-blobs.test.ts'
import '../registry/end-03-07-09-manifests.test.ts'
import '../registry/end-04-05-06-uploads.test.ts'
import '../registry/end-08-tags.test.ts'
import '../registry/end-11-mount.test.ts'
import '../registry/end-12-referrers.test.ts'

export { keepIn } from './fresh.ts'
