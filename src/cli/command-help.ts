import type { CommandClass } from 'clipanion';
import { RELEASE } from '../core/release.ts';
import type { CliContext } from './command.ts';
import { type OptionView, viewUsage } from './parse.ts';
import type { Style } from './render/style.ts';
import { hangingText, wrapText } from './render/text.ts';

/** The options of `DaemonCommand`, which every command has. */
const GLOBAL_OPTIONS = new Set(['--json', '--verbose', '--no-color', '--data']);

/** One command: what it does, usage, options, examples. */
export function commandHelp(command: CommandClass<CliContext>, style: Style): string {
  const { usage, options } = viewUsage(command);
  const { description = '', details, examples = [] } = command.usage ?? {};
  const own = options.filter(({ names }) => !names.some((name) => GLOBAL_OPTIONS.has(name)));
  const shared = [...options.filter((option) => !own.includes(option)), HELP_OPTION];
  return [
    wrapText(description, style.width).join('\n'),
    hangingText('usage: ', usage, style.width),
    ...(details === undefined ? [] : [wrapText(details.trim().replace(/\s+/g, ' '), style.width).join('\n')]),
    ...(own.length === 0 ? [] : [optionList('options', own, style)]),
    optionList('options of every command', shared, style),
    [style.tone('accent', 'examples'), ...examples.map(([what, example]) => exampleText(what, example, style))].join(
      '\n',
    ),
  ].join('\n\n');
}

const HELP_OPTION: OptionView = {
  names: ['-h', '--help'],
  takesValue: false,
  required: false,
  description: 'this text',
};

function optionList(title: string, options: readonly OptionView[], style: Style): string {
  const heads = options.map(optionHead);
  const column = Math.max(...heads.map((head) => head.length)) + 2;
  const lines = options.map((option, i) => {
    const head = heads[i] ?? '';
    const text = option.description.replace(/`/g, '') + (option.required ? ' (required)' : '');
    return hangingText(`  ${style.tone('strong', head)}${' '.repeat(column - head.length)}`, text, style.width);
  });
  return [style.tone('accent', title), ...lines].join('\n');
}

/** `-k, --key FILE`; the value's name is the back-quoted word of the description. */
function optionHead({ names, takesValue, description }: OptionView): string {
  const value = takesValue ? ` ${/`([^`]+)`/.exec(description)?.[1] ?? 'VALUE'}` : '';
  return names.join(', ') + value;
}

function exampleText(what: string, example: string, style: Style): string {
  return `  # ${what}\n  ${style.tone('strong', example.replace(/\$0/g, RELEASE.name))}`;
}
