import { RELEASE } from '../core/release.ts';
import type { Style } from './render/style.ts';
import { hangingText, wrapText } from './render/text.ts';

export type Overview = {
  readonly commands: Readonly<Record<string, { readonly summary: string }>>;
  readonly nouns: Readonly<Record<string, string>>;
};

const EXIT_CODES = '0 done, 1 failed, 2 wrong usage, 3 not trusted, 4 our own state is damaged, 5 refused by policy';

/** Every command (or one noun's) in a line each; loads none of them. */
export function overviewHelp({ commands, nouns }: Overview, style: Style, noun?: string): string {
  const names = Object.keys(commands).filter((name) => noun === undefined || name.startsWith(`${noun} `));
  const column = Math.max(...names.map((name) => name.length)) + 2;
  const line = (name: string): string =>
    hangingText(
      `  ${style.tone('strong', name)}${' '.repeat(column - name.length)}`,
      commands[name]?.summary ?? '',
      style.width,
    );
  const groups = Map.groupBy(names, (name) => (name.includes(' ') ? (name.split(' ')[0] ?? '') : ''));
  const sections = [...groups].map(([group, members]) =>
    [style.tone('accent', group === '' ? 'more' : `${group}: ${nouns[group] ?? ''}`), ...members.map(line)].join('\n'),
  );
  const usage = `usage: ${RELEASE.name} ${noun ?? 'COMMAND'}${noun === undefined ? '' : ' COMMAND'} [options]`;
  const closing = noun === undefined ? [`Exit codes: ${EXIT_CODES}.`] : [];
  const more = `More about one command: ${RELEASE.name} ${noun ?? 'COMMAND'}${noun === undefined ? '' : ' COMMAND'} --help`;
  return [usage, ...sections, [...closing, more].flatMap((text) => wrapText(text, style.width)).join('\n')].join(
    '\n\n',
  );
}
