import { formatSignature, type CoreSignature } from '../binary/core-interface.ts'

/** The module's name in imports. */
export const PREVIEW1 = 'wasi_snapshot_preview1'

// One letter for each parameter: `i` is an i32, `I` an i64. All but the last return an i32.
const PARAMS = `args_get:ii args_sizes_get:ii environ_get:ii environ_sizes_get:ii clock_res_get:ii
  clock_time_get:iIi fd_advise:iIIi fd_allocate:iII fd_close:i fd_datasync:i fd_fdstat_get:ii
  fd_fdstat_set_flags:ii fd_fdstat_set_rights:iII fd_filestat_get:ii fd_filestat_set_size:iI
  fd_filestat_set_times:iIIi fd_pread:iiiIi fd_prestat_get:ii fd_prestat_dir_name:iii
  fd_pwrite:iiiIi fd_read:iiii fd_readdir:iiiIi fd_renumber:ii fd_seek:iIii fd_sync:i fd_tell:ii
  fd_write:iiii path_create_directory:iii path_filestat_get:iiiii path_filestat_set_times:iiiiIIi
  path_link:iiiiiii path_open:iiiiiIIii path_readlink:iiiiii path_remove_directory:iii
  path_rename:iiiiii path_symlink:iiiii path_unlink_file:iii poll_oneoff:iiii proc_raise:i
  sched_yield: random_get:ii sock_accept:iii sock_recv:iiiiii sock_send:iiiii
  sock_shutdown:ii`.split(/\s+/)

/**
 * The core types of the functions of preview1.
 *
 * @see https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md
 */
export const PREVIEW1_SIGNATURES: ReadonlyMap<string, CoreSignature> = new Map([
  ...PARAMS.map((entry): [string, CoreSignature] => {
    const [name = '', params = ''] = entry.split(':')
    const types = [...params].map((letter) => (letter === 'I' ? 'i64' : 'i32'))
    return [name, formatSignature(types, ['i32'])]
  }),
  ['proc_exit', formatSignature(['i32'], [])],
])
