import { type Command, Option } from 'commander'

/** The value placeholder of a switch, which distinguishes switches from other flags. */
const VALUE = '[boolean]'

/** A flag in the style of cosign: `--name`, `--name=true` or `--name=false`. */
export function switchOption(flag: string, description: string): Option {
  return new Option(`${flag} ${VALUE}`, description).choices(['true', 'false'])
}

export function isOn(value: boolean | string | undefined): boolean {
  return value === true || value === 'true'
}

/** Expands bare switches to `--name=true`; otherwise the next argument would become the value. */
export function spellSwitches(args: readonly string[], program: Command): string[] {
  const switches = new Set(switchesOf(program))
  const end = args.indexOf('--')
  return args.map((arg, i) => (switches.has(arg) && (end < 0 || i < end) ? `${arg}=true` : arg))
}

function switchesOf(command: Command): string[] {
  const own = command.options.flatMap(({ flags, long }) =>
    flags.endsWith(VALUE) && long !== undefined ? [long] : [],
  )
  return [...own, ...command.commands.flatMap(switchesOf)]
}
