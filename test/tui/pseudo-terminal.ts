import { spawn } from '@lydell/node-pty';
import xterm from '@xterm/headless';

/** A program on a real pseudo-terminal, with a terminal emulator behind it that knows what is on the screen. */

export type TerminalOptions = {
  readonly columns: number;
  readonly rows: number;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
};

export type Ended = { readonly code: number; readonly signal: number };

export class PseudoTerminal {
  /** Everything that was written, as it was written. */
  raw = '';
  readonly #process: ReturnType<typeof spawn>;
  readonly #terminal: InstanceType<typeof xterm.Terminal>;
  readonly #ended: Promise<Ended>;
  #changed: () => void = () => undefined;

  constructor(command: string, args: readonly string[], { columns, rows, env, cwd }: TerminalOptions) {
    this.#terminal = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true });
    const options = { cols: columns, rows, name: env['TERM'] ?? 'xterm-256color', env: { ...env } };
    this.#process = spawn(command, [...args], cwd === undefined ? options : { ...options, cwd });
    this.#process.onData((text) => {
      this.raw += text;
      this.#terminal.write(text, () => this.#changed());
    });
    this.#ended = new Promise((resolve) => {
      this.#process.onExit(({ exitCode, signal }) => resolve({ code: exitCode, signal: signal ?? 0 }));
    });
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** The lines on the screen. */
  get lines(): readonly string[] {
    const { active } = this.#terminal.buffer;
    return Array.from({ length: this.#terminal.rows }, (_, i) => {
      return active.getLine(active.viewportY + i)?.translateToString(true) ?? '';
    });
  }

  get screen(): string {
    return this.lines.join('\n');
  }

  get isAlternate(): boolean {
    return this.#terminal.buffer.active.type === 'alternate';
  }

  get isCursorHidden(): boolean {
    // The emulator knows and doesn't tell.
    const core = this.#terminal as unknown as { _core: { coreService: { isCursorHidden: boolean } } };
    return core._core.coreService.isCursorHidden;
  }

  /** Whether a line that is too long goes on in the next, as it does in a shell. */
  get isWrapping(): boolean {
    return this.#terminal.modes.wraparoundMode;
  }

  /** The terminal goes away, as when its window is closed. */
  hangUp(): void {
    (this.#process as unknown as { destroy: () => void }).destroy();
  }

  press(keys: string): void {
    this.#process.write(keys);
  }

  resize(columns: number, rows: number): void {
    this.#terminal.resize(columns, rows);
    this.#process.resize(columns, rows);
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name);
  }

  /** Waits until the screen shows it; a test that waits in vain runs into its own time limit, with the screen told. */
  async shows(wanted: string | RegExp, patienceMs = 50_000): Promise<void> {
    const isShown = () => (typeof wanted === 'string' ? this.screen.includes(wanted) : wanted.test(this.screen));
    let impatience: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve, reject) => {
      this.#changed = () => {
        if (isShown()) resolve();
      };
      const tell = () => reject(new Error(`${String(wanted)} is not on the screen:\n${this.screen}`));
      impatience = setTimeout(tell, patienceMs);
      this.#changed();
    });
    clearTimeout(impatience);
    this.#changed = () => undefined;
  }

  /** Waits for the end of the program and of all it wrote. */
  async ended(): Promise<Ended> {
    const ended = await this.#ended;
    await new Promise<void>((resolve) => this.#terminal.write('', resolve));
    return ended;
  }

  kill(): void {
    try {
      this.#process.kill('SIGKILL');
    } catch {
      // It has ended already.
    }
  }
}
