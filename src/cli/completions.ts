import { RELEASE } from '../core/release.ts';

export const SHELLS = ['bash', 'zsh', 'fish', 'powershell'] as const;
export type Shell = (typeof SHELLS)[number];

export type CompletionModel = {
  readonly commands: readonly {
    readonly name: string;
    readonly summary: string;
    readonly options: readonly string[];
  }[];
};

export function isShell(name: string): name is Shell {
  return (SHELLS as readonly string[]).includes(name);
}

/** A script that completes words and options; where a file is due it leaves that to the shell. */
export function completionScript(shell: Shell, model: CompletionModel): string {
  return WRITERS[shell](model);
}

const WRITERS: Readonly<Record<Shell, (model: CompletionModel) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
  powershell: powershellScript,
};

/** Noun to verbs; a command of one word has none. */
function tree({ commands }: CompletionModel): Map<string, string[]> {
  const nouns = new Map<string, string[]>();
  for (const { name } of commands) {
    const [noun = name, verb] = name.split(' ');
    nouns.set(noun, [...(nouns.get(noun) ?? []), ...(verb === undefined ? [] : [verb])]);
  }
  return nouns;
}

function bashScript(model: CompletionModel): string {
  return [
    `_${RELEASE.name}() {`,
    '  local current="$2" words= word',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's
    '  set -- "${COMP_WORDS[@]:1:2}"',
    '  if [[ $current == -* ]]; then',
    '    case "$1 $2" in',
    ...optionCases(model).map(([pattern, options]) => `      ${pattern}) words='${options}' ;;`),
    '    esac',
    `  elif [[ $COMP_CWORD -eq 1 ]]; then words='${[...tree(model).keys()].join(' ')}'`,
    '  elif [[ $COMP_CWORD -eq 2 ]]; then',
    '    case $1 in',
    ...verbCases(model).map(([noun, verbs]) => `      ${noun}) words='${verbs}' ;;`),
    '    esac',
    '  fi',
    '  COMPREPLY=()',
    '  while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -W "$words" -- "$current")',
    '}',
    `complete -o default -F _${RELEASE.name} ${RELEASE.name}`,
  ].join('\n');
}

function zshScript(model: CompletionModel): string {
  return [
    `#compdef ${RELEASE.name}`,
    `_${RELEASE.name}() {`,
    '  if [[ $words[CURRENT] == -* ]]; then',
    '    case "$words[2] $words[3]" in',
    ...optionCases(model).map(([pattern, options]) => `      ${pattern}) compadd -- ${options} ;;`),
    '    esac',
    `  elif (( CURRENT == 2 )); then compadd -- ${[...tree(model).keys()].join(' ')}`,
    '  elif (( CURRENT == 3 )); then',
    '    case $words[2] in',
    ...verbCases(model).map(([noun, verbs]) => `      ${noun}) compadd -- ${verbs} ;;`),
    '      *) _files ;;',
    '    esac',
    '  else _files',
    '  fi',
    '}',
    `compdef _${RELEASE.name} ${RELEASE.name}`,
    // As an autoloaded file the whole of it is the function.
    `[[ $funcstack[1] == _${RELEASE.name} ]] && _${RELEASE.name}`,
  ].join('\n');
}

/** Patterns for the first two words, and the options that follow them. */
function optionCases({ commands }: CompletionModel): [string, string][] {
  return commands.map(({ name, options }) => [name.includes(' ') ? `'${name}'` : `'${name} '*`, options.join(' ')]);
}

function verbCases(model: CompletionModel): [string, string][] {
  return [...tree(model)].filter(([, verbs]) => verbs.length > 0).map(([noun, verbs]) => [noun, verbs.join(' ')]);
}

function fishScript(model: CompletionModel): string {
  const nouns = tree(model);
  const lines = [`complete -c ${RELEASE.name} -n __fish_use_subcommand -a '${[...nouns.keys()].join(' ')}' -f`];
  for (const { name, summary, options } of model.commands) {
    const [noun = name, verb] = name.split(' ');
    let condition = `__fish_seen_subcommand_from ${noun}`;
    if (verb !== undefined) {
      const others = (nouns.get(noun) ?? []).join(' ');
      lines.push(
        `complete -c ${RELEASE.name} -n '${condition}; and not __fish_seen_subcommand_from ${others}' -a ${verb} -d '${summary}' -f`,
      );
      condition += `; and __fish_seen_subcommand_from ${verb}`;
    }
    for (const option of options) lines.push(`complete -c ${RELEASE.name} -n '${condition}' -l ${option.slice(2)}`);
  }
  return lines.join('\n');
}

function powershellScript(model: CompletionModel): string {
  const quoted = (words: readonly string[]): string => words.map((word) => `'${word}'`).join(', ');
  const nouns = tree(model);
  return [
    `Register-ArgumentCompleter -Native -CommandName ${RELEASE.name} -ScriptBlock {`,
    '  param($current, $ast, $position)',
    '  $words = @($ast.CommandElements | ForEach-Object { $_.ToString() })',
    '  $name = ($words | Select-Object -Skip 1 -First 2) -join " "',
    '  $options = @{',
    ...model.commands.map(({ name, options }) => `    '${name}' = @(${quoted(options)})`),
    '  }',
    '  $verbs = @{',
    ...[...nouns].map(([noun, verbs]) => `    '${noun}' = @(${quoted(verbs)})`),
    '  }',
    '  $at = $words.Count - [int]($current -ne "")',
    '  $choices = if ($current -like "-*") { if ($options.ContainsKey($name)) { $options[$name] } else { $options[[string]$words[1]] } }',
    '    elseif ($at -le 1) { $verbs.Keys } elseif ($at -eq 2) { $verbs[[string]$words[1]] }',
    '  $choices | Where-Object { $_ -like "$current*" } | ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }',
    '}',
  ].join('\n');
}
