import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ensureBuilt, environment, finished, hasTool, inside, LAUNCHER } from '../support/cli.ts';
import { tempDirectory } from '../support/temp.ts';

beforeAll(ensureBuilt);

const SGR = '\x1b[';

describe('colour', () => {
  const lines = ['--help', 'keys show --help', 'keys show /nowhere/x', 'kesy'];

  it('is there on a terminal that has it', async () => {
    for (const line of lines) {
      const { stdout, stderr } = await inside(line.split(' '), { columns: 80 });
      expect(stdout + stderr, line).toContain(SGR);
    }
  });

  it.each([
    ['--no-color', ['--no-color'], {}],
    ['NO_COLOR', [], { NO_COLOR: '1' }],
    ['TERM=dumb', [], { TERM: 'dumb' }],
  ])('is gone with %s, and nothing else is', async (_, more, env) => {
    for (const line of lines) {
      const [plain, piped] = [
        await inside([...line.split(' '), ...more], { columns: 80, env }),
        await inside(line.split(' ')),
      ];
      expect(plain, line).toEqual(piped);
    }
  });

  it('stays with an empty NO_COLOR, as its convention says', async () => {
    expect((await inside(['--help'], { columns: 80, env: { NO_COLOR: '' } })).stdout).toContain(SGR);
  });

  it('is never in JSON', async () => {
    expect((await inside(['version', '--json'], { columns: 80 })).stdout).not.toContain(SGR);
  });

  it('does not let a name bring its own', async () => {
    const { stderr } = await inside(['keys', 'show', '\x1b[5mx\x1b[2J'], { columns: 80 });
    expect(stderr).toContain('\\x1b[5mx\\x1b[2J');
  });
});

describe('the width', () => {
  it.each([40, 80, 100])('of %i columns is kept', async (columns) => {
    const { stdout } = await inside(['keys', 'generate', '--help', '--no-color'], { columns });
    const examples = stdout.indexOf('\nexamples');
    expect(
      Math.max(
        ...stdout
          .slice(0, examples)
          .split('\n')
          .map((line) => line.length),
      ),
    ).toBeLessThanOrEqual(columns);
  });
});

/** The real program on a real terminal, made by util-linux' `script`. */
class Terminal {
  readonly cwd = tempDirectory();
  readonly #child: ChildProcess;
  #shown = '';
  #heard: () => void = () => undefined;

  constructor(line: string) {
    // $$ is the launcher's process, which becomes the program's.
    const command = `echo $$ > pid; exec '${LAUNCHER}' ${line}`;
    this.#child = spawn('script', ['-qefc', command, '/dev/null'], {
      cwd: this.cwd,
      env: environment(),
      stdio: 'pipe',
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#shown += text;
      this.#heard();
    });
  }

  /** Waits until `text` is on the screen, after what was seen before. */
  async sees(text: string): Promise<void> {
    while (!this.#shown.includes(text)) {
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
    this.#shown = this.#shown.slice(this.#shown.indexOf(text) + text.length);
  }

  types(text: string): void {
    this.#child.stdin?.write(text);
  }

  kill(signal: NodeJS.Signals): void {
    process.kill(Number(readFileSync(join(this.cwd, 'pid'), 'utf8')), signal);
  }

  /** @returns the exit code and what was shown since the last look */
  async ends(): Promise<{ code: number | null; shown: string }> {
    const { code } = await finished(this.#child);
    return { code, shown: this.#shown };
  }
}

describe.skipIf(!hasTool('script'))('a person at a terminal', () => {
  it('types a new passphrase twice, unseen', async () => {
    const terminal = new Terminal('keys generate alice --encrypt');
    await terminal.sees('Passphrase to protect alice.key.pem: ');
    // With a slip taken back, and a first try thrown away by Ctrl-U.
    terminal.types('nonsense\x15sesamm\x7fe\r');
    await terminal.sees('The same again: ');
    terminal.types('sesame\r');
    const { code, shown } = await terminal.ends();
    expect(code).toBe(0);
    expect(shown).not.toContain('sesam');
    expect(readFileSync(join(terminal.cwd, 'alice.key.pem'), 'utf8')).toContain('BEGIN ENCRYPTED PRIVATE KEY');
  });

  it('is told when the two differ, and nothing is written', async () => {
    const terminal = new Terminal('keys generate alice --encrypt');
    await terminal.sees('Passphrase to protect');
    terminal.types('one\r');
    await terminal.sees('The same again: ');
    terminal.types('two\r');
    await terminal.sees('PASSPHRASE_MISMATCH');
    expect((await terminal.ends()).code).toBe(1);
    expect(readdirSync(terminal.cwd)).toEqual(['pid']);
  });

  it.each([
    ['Ctrl-C', '\x03'],
    ['Ctrl-D', '\x04'],
  ])('leaves with %s: exit code 130 and nothing written', async (_, key) => {
    const terminal = new Terminal('keys generate alice --encrypt');
    await terminal.sees('Passphrase to protect');
    terminal.types(`half a secret${key === '\x04' ? '\x15' : ''}${key}`);
    await terminal.sees('INTERRUPTED');
    expect((await terminal.ends()).code).toBe(130);
    expect(readdirSync(terminal.cwd)).toEqual(['pid']);
  });

  it('is left in peace by SIGTERM: exit code 143, nothing written, and the launcher is the program', async () => {
    const terminal = new Terminal('keys generate alice --encrypt');
    await terminal.sees('Passphrase to protect');
    terminal.kill('SIGTERM');
    await terminal.sees('INTERRUPTED');
    expect((await terminal.ends()).code).toBe(143);
    expect(existsSync(join(terminal.cwd, 'alice.key.pem'))).toBe(false);
  });
});
