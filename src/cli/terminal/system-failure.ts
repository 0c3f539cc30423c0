import { dirname, resolve, sep } from 'node:path'
import type { Command } from 'commander'
import { configFolder } from '../../node/files/environment.ts'
import { codeOf } from '../../node/files/system-error.ts'
import type { CliIo } from './io.ts'

/** Failed operations of the file system, by the system call. */
const ACTIONS: Readonly<Record<string, string>> = {
  access: 'access',
  copyfile: 'copy',
  link: 'create',
  lstat: 'access',
  mkdir: 'create the folder',
  mkdtemp: 'create the folder',
  open: 'open',
  opendir: 'list',
  read: 'read',
  readlink: 'access',
  realpath: 'access',
  rename: 'write',
  rm: 'remove',
  rmdir: 'remove',
  scandir: 'list',
  stat: 'access',
  unlink: 'remove',
  write: 'write',
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EBUSY: 'it is in use',
  EDQUOT: 'the disk quota is exceeded',
  EEXIST: 'it already exists',
  EISDIR: 'it is a folder',
  ELOOP: 'too many symbolic links',
  EMFILE: 'too many open files',
  ENAMETOOLONG: 'the name is too long',
  ENFILE: 'too many open files in the system',
  ENOENT: 'there is no such file or folder',
  ENOSPC: 'no space is left on the disk',
  ENOTDIR: 'a part of the path is a file',
  ENOTEMPTY: 'the folder is not empty',
  EPERM: 'the operation is not permitted',
  EROFS: 'the file system is read-only',
}

/** A file that is written beside its final place and then renamed. */
const TEMPORARY = /\.[\da-f]{12}\.(?:tmp|partial)$/

/** The message for a system error about a file; `undefined` for other errors. */
export function systemProblem(error: Error): string | undefined {
  const { syscall = '', path } = error as NodeJS.ErrnoException
  const reason = REASONS[String(codeOf(error))]
  const action = ACTIONS[syscall]
  if (reason === undefined || action === undefined || typeof path !== 'string') return undefined
  const isWritten = TEMPORARY.test(path)
  return `cannot ${isWritten ? 'write' : action} ${path.replace(TEMPORARY, '')}: ${reason} (${String(codeOf(error))})`
}

/** The next step after a system error about a file, at a shell; `undefined` for other errors. */
export function systemHint(
  error: Error,
  io: CliIo,
  command: Command | undefined,
): string | undefined {
  if (FULL.has(codeOf(error))) return spaceHint(command)
  const { path } = error as NodeJS.ErrnoException
  if (!CLOSED.has(codeOf(error)) || systemProblem(error) === undefined || path === undefined)
    return undefined
  const place = TEMPORARY.test(path) ? dirname(path) : path
  const flag = flagOf(path, io, command)
  const elsewhere =
    flag !== undefined
      ? `, or name another location with ${flag}`
      : io.platform === 'linux' && isWithin(path, configFolder(io))
        ? ', or set XDG_CONFIG_HOME to a folder that you can write to'
        : ''
  return `check the permissions of ${place}${elsewhere}`
}

/** Errors of a full disk, a quota, or a file size limit of the process. */
const FULL: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])
const CLOSED: ReadonlySet<unknown> = new Set(['EACCES', 'EPERM', 'EROFS'])
/** Flags that name a folder to write large content to. */
const PLACES = ['--output', '--export', '--oci-layout', '--staging-dir', '--cache-dir', '--log-dir']

function spaceHint(command: Command | undefined): string {
  const flags = PLACES.filter((flag) => command?.options.some(({ long }) => long === flag))
  const elsewhere = `, or name a folder on another disk with ${flags.join(' or ')}`
  return `free some space${flags.length === 0 ? '' : elsewhere}`
}

/** The flag that named a file, or a folder above it. */
function flagOf(path: string, io: CliIo, command: Command | undefined): string | undefined {
  return command?.options.find((option) => {
    const value: unknown = command.getOptionValue(option.attributeName())
    return typeof value === 'string' && value !== '' && isWithin(path, resolve(io.cwd, value))
  })?.long
}

/** Temporary files and folders count as within: they are beside the final place. */
function isWithin(path: string, place: string): boolean {
  return path === place || path.startsWith(place + sep) || path.replace(TEMPORARY, '') === place
}
