import type { Command } from 'commander'
import type { CliIo } from '../terminal/io.ts'
import { addInfoCommand } from './bindle/info.ts'
import { addKeysCommand } from './bindle/keys.ts'
import { addBindleLoginCommand } from './bindle/login.ts'
import { addMigrateCommand } from './bindle/migrate.ts'
import { addPrepareCommand } from './bindle/prepare.ts'
import { addBindlePullCommand } from './bindle/pull.ts'
import { addBindlePushCommand } from './bindle/push.ts'
import { addQueryCommand } from './bindle/query.ts'
import { addYankCommand } from './bindle/yank.ts'

const ABOUT = `
A bindle id is NAME/VERSION with a full version, for example ann/hello/1.0.0. The server comes from
--bindle-server or BINDLE_URL; the path of its URL usually ends with /v1.

Example:
  $ spindle bindle-server --address 127.0.0.1:8000 --directory . --unauthenticated
  $ export BINDLE_URL=http://127.0.0.1:8000/v1
  $ spindle bindle push --file spin.toml
  $ spindle up --bindle hello/1.0.0`

/** `spindle bindle`: the command of Spin before 1.0, with subcommands of the `bindle` command. */
export function addBindleCommand(program: Command, io: CliIo): void {
  const bindle = program
    .command('bindle')
    .description('work with applications on Bindle servers')
    .addHelpText('after', ABOUT)
  addBindlePushCommand(bindle, io)
  addPrepareCommand(bindle, io)
  addBindlePullCommand(bindle, io)
  addQueryCommand(bindle, io)
  addInfoCommand(bindle, io)
  addYankCommand(bindle, io)
  addMigrateCommand(bindle, io)
  addKeysCommand(bindle, io)
  addBindleLoginCommand(bindle, io)
}
