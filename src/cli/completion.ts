import { Argument, type Command } from 'commander';
import { commandLine, commandTree } from './command-tree.ts';
import { printLines } from './output.ts';

const EXAMPLES = `
Examples:
  $ source <(selvage completion bash)
  $ selvage completion bash | sudo tee /usr/share/bash-completion/completions/selvage`;

/** Adds `selvage completion bash`. */
export function registerCompletion(program: Command): void {
  program
    .command('completion')
    .description('print a script that completes commands and options in a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices(['bash']))
    .addHelpText('after', EXAMPLES)
    .action(() => printLines(bashCompletion(program)));
}

/**
 * The completion script for bash: subcommands by name, options after a dash, file names for everything else (what
 * `-o default` of bash's `complete` falls back to).
 */
function bashCompletion(program: Command): string {
  const commands = commandTree(program);
  const below = commands
    .filter((command) => command !== program)
    .map((command) => quote(commandLine(command)));
  return `# Completion of selvage for bash, printed by \`selvage completion bash\`.
_selvage() {
  local word="\${COMP_WORDS[COMP_CWORD]}" command=${quote(program.name())} commands='' options='' index
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "$command \${COMP_WORDS[index]}" in
      ${below.join(' | ')})
        command="$command \${COMP_WORDS[index]}" ;;
    esac
  done
  case "$command" in
${commands.map(bashWords).join('\n')}
  esac
  COMPREPLY=()
  # After an option that takes a value: a file name.
  case " ${valueOptions(commands).join(' ')} " in
    *" \${COMP_WORDS[COMP_CWORD - 1]} "*) return ;;
  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$word"))
  else
    COMPREPLY=($(compgen -W "$commands" -- "$word"))
  fi
}
complete -o bashdefault -o default -F _selvage ${program.name()}`;
}

function bashWords(command: Command): string {
  const commands = [...command.commands.map((child) => child.name()), ...choices(command)];
  const words = `commands=${quote(commands.join(' '))} options=${quote(optionsOf(command).join(' '))}`;
  return `    ${quote(commandLine(command))}) ${words} ;;`;
}

function choices(command: Command): readonly string[] {
  return command.registeredArguments[0]?.argChoices ?? [];
}

/** Its own options and, as `selvage models` is `selvage models list`, those of its list. */
function optionsOf(command: Command): string[] {
  const { options = [] } = command.commands.find((child) => child.name() === 'list') ?? {};
  const names = [...command.options, ...options].flatMap(({ long }) => (long ? [long] : []));
  return [...names, '--help'];
}

function valueOptions(commands: readonly Command[]): string[] {
  const options = commands.flatMap((command) => command.options).filter(({ required }) => required);
  return [...new Set(options.flatMap(({ short, long }) => [short ?? [], long ?? []].flat()))];
}

/** A word for the shell; names of commands and options hold no quotes. */
function quote(text: string): string {
  return `'${text}'`;
}
