import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { guardTerminal } from '../../src/tui/terminal-guard.ts';
import { tempDirectory } from '../support/temp.ts';

/** What is told to a terminal, in which order; on real ones in hunt.test.ts. */
function terminal() {
  const file = join(tempDirectory(), 'written');
  const fd = openSync(file, 'w');
  const raw: boolean[] = [];
  const stdin = { setRawMode: (mode: boolean) => raw.push(mode) };
  return { stdin, stdout: { fd }, raw, fd, written: () => readFileSync(file, 'utf8') };
}

describe('the guard of a terminal', () => {
  it('lets nothing be echoed or wrapped from the start, and gives both back', () => {
    const { stdin, stdout, raw, fd, written } = terminal();
    const before = process.listenerCount('exit');
    {
      using _ = guardTerminal({ stdin, stdout });
      expect(raw).toEqual([true]);
      expect(written()).toBe('\x1b[?7l');
    }
    expect(raw).toEqual([true, false]);
    expect(written()).toBe('\x1b[?7l\x1b[?7h');
    expect(process.listenerCount('exit')).toBe(before);
    closeSync(fd);
  });

  it('says nothing of a terminal that is gone', () => {
    const { stdin, stdout, fd } = terminal();
    closeSync(fd);
    const gone = {
      setRawMode: (mode: boolean) => {
        if (!mode) throw new Error('EIO');
        return stdin;
      },
    };
    expect(() => guardTerminal({ stdin: gone, stdout })[Symbol.dispose]()).not.toThrow();
  });
});
