import type { Command } from 'commander';

/** A command and all commands below it, each after its parent. */
export function commandTree(command: Command): Command[] {
  return [command, ...command.commands.flatMap(commandTree)];
}

/** A command as it is typed, such as `selvage models load`. */
export function commandLine(command: Command): string {
  return command.parent === null ? command.name() : `${commandLine(command.parent)} ${command.name()}`;
}
