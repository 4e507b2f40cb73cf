import type { ReadStream, WriteStream } from 'node:tty';
import { guardTerminal } from './terminal-guard.ts';
import { createTheme } from './theme.ts';
import type { TimelineSource } from './timeline-source.ts';
import type { CaseView } from './view.ts';

export type HuntOptions = {
  readonly view: CaseView;
  readonly source: TimelineSource;
  readonly stdin: ReadStream;
  readonly stdout: WriteStream;
  readonly stderr: NodeJS.WritableStream;
  readonly colour: boolean;
  readonly unicode: boolean;
  /** Leaves the screen, as `q` does. */
  readonly signal: AbortSignal;
};

/**
 * Shows the screens on a case until they are left, and leaves the terminal as it was found, whatever happens.
 * @returns how it was left: `interrupted` by Ctrl-C
 * @throws the signal's reason; whatever a screen throws
 */
export async function runHunt(options: HuntOptions): Promise<'quit' | 'interrupted'> {
  const { view, source, stdin, stdout, stderr, signal } = options;
  const total = await source.count();
  signal.throwIfAborted();
  // ink ignores NO_COLOR, and what colours there are is decided when it is loaded.
  if (!options.colour) process.env['FORCE_COLOR'] = '0';
  const [{ render }, { createElement }, { TimelineScreen }] = await Promise.all([
    import('ink'),
    import('react'),
    import('./components/timeline-screen.tsx'),
  ]);
  signal.throwIfAborted();
  using _ = guardTerminal({ stdin, stdout });
  const screen = createElement(TimelineScreen, { view, source, total, theme: createTheme(options) });
  const instance = render(screen, {
    stdin,
    stdout,
    stderr: stderr as NodeJS.WriteStream,
    alternateScreen: true,
    exitOnCtrlC: false,
    interactive: true,
    incrementalRendering: true,
    maxFps: 60,
  });
  const leave = (): void => instance.unmount();
  signal.addEventListener('abort', leave, { once: true });
  try {
    const left = await instance.waitUntilExit();
    signal.throwIfAborted();
    return left === 'interrupted' ? 'interrupted' : 'quit';
  } finally {
    signal.removeEventListener('abort', leave);
    instance.cleanup();
  }
}
