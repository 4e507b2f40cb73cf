import { chmodSync, copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ensureBuilt, environment, expectError, inside, jsonOf, LAUNCHER, ROOT } from '../support/cli.ts';
import { tempDirectory } from '../support/temp.ts';
import { ok } from '../support/workspace.ts';
import { PseudoTerminal } from '../tui/pseudo-terminal.ts';

const SAMPLES = join(ROOT, 'bundles/samples');
const volume = (number: number) => join(SAMPLES, `volumes/linux-baseline-2.00${number}`);

type Status = {
  readonly root: unknown;
  readonly channels: readonly { readonly active: { readonly seq: number } }[];
  readonly waiting: readonly {
    readonly about?: {
      readonly seq: number;
      readonly superseded: boolean;
      readonly lacking: { readonly blobs: number; readonly volumes: readonly string[] };
      readonly volumes: readonly string[];
    };
  }[];
  readonly steps: readonly { readonly part: string; readonly what: string; readonly command: string }[];
};

/** An enclave that knows the samples' publisher. */
async function enclave(folder = tempDirectory()) {
  const data = join(folder, 'data');
  const here = (...args: readonly string[]) => inside([...args, '--data', data]);
  await ok('init', '--data', data);
  return {
    data,
    here,
    status: async () => jsonOf<Status>(await here('bundle', 'status', '--json'), 'bundle-status'),
    async pin() {
      const root = join(SAMPLES, 'root/1.root.dsse.json');
      const { fingerprint } = JSON.parse((await ok('trust', 'show', root, '--json')).stdout) as { fingerprint: string };
      await ok('trust', 'pin', root, '--fingerprint', fingerprint, '--data', data);
    },
    apply: async (...bundles: readonly string[]) => (await here('bundle', 'apply', ...bundles, '--yes')).code,
  };
}

const whats = ({ steps }: Status) => steps.map(({ what }) => what);

describe('bundle status', () => {
  it('leads from nothing to the first bundle, and on to what is to be carried out', async () => {
    const nowhere = await inside(['bundle', 'status', '--data', join(tempDirectory(), 'x')]);
    expectError(nowhere, 'NOT_INITIALISED', 1);
    const { pin, status, apply, here } = await enclave();
    expect(await status()).toMatchObject({ root: null, channels: [] });
    expect(whats(await status())).toEqual(['pin']);
    await pin();
    expect(whats(await status())).toEqual(['first-bundle']);
    expect(await apply(join(SAMPLES, 'linux-baseline-1.bundle.tar'))).toBe(0);
    expect(whats(await status())).toEqual(['unproven', 'receipt']);
    expect((await here('bundle', 'receipt', '--out', join(tempDirectory(), 'r'))).code).toBe(0);
    const asked = await status();
    expect(whats(asked)).toEqual(['unproven', 'answer']);
    expect(new Set(asked.steps.map(({ command }) => command.split(' --data')[0]))).toEqual(
      new Set(['daemoneye bundle heads accept HEADS']),
    );
    // What was refused is news for the publisher.
    expect(await apply(join(SAMPLES, 'hostile/unsigned.bundle.tar'))).toBe(3);
    expect(whats(await status())).toEqual(['unproven', 'receipt', 'answer']);
  });

  it('names the volumes that are here and those that are not, until the bundle is whole', async () => {
    const { pin, status, apply, here } = await enclave();
    await pin();
    expect(await apply(volume(2))).toBe(3);
    const [waiting] = (await status()).waiting;
    expect(waiting?.about).toMatchObject({
      seq: 2,
      superseded: false,
      volumes: ['linux-baseline-2.002'],
      lacking: { volumes: ['linux-baseline-2.001'] },
    });
    const { stdout } = await here('bundle', 'status');
    expect(stdout).toMatch(/linux-baseline seq 2: [0-9]+ of [0-9]+ pieces here, [0-9.]+ kB lacking\n/);
    expect(stdout).toContain('  still missing: linux-baseline-2.001\n    > daemoneye bundle apply VOLUME...');
    expect((await here('bundle', 'list')).stdout).toContain('still missing: linux-baseline-2.001');
    expect(await apply(volume(1))).toBe(0);
    expect((await status()).waiting).toEqual([]);
  });

  it('does not count on what the bundle before holds as a volume', async () => {
    const { pin, status, apply } = await enclave();
    await pin();
    expect(await apply(join(SAMPLES, 'linux-baseline-1.bundle.tar'))).toBe(0);
    expect(await apply(volume(1))).toBe(3);
    expect((await status()).waiting[0]?.about?.lacking).toEqual({
      ...{ blobs: 1, volumes: ['linux-baseline-2.002'] },
      bytes: expect.any(Number) as number,
    });
  });

  it('says when a newer bundle has overtaken what waits', async () => {
    const { pin, status, apply, here } = await enclave();
    await pin();
    const [one, two] = [1, 2].map((seq) => join(SAMPLES, `linux-baseline-${seq}.bundle.tar`));
    const folder = tempDirectory();
    await ok('bundle', 'split', one ?? '', '--size', '24K', '--out', join(folder, 'one'));
    expect(await apply(join(folder, 'one.001'))).toBe(3);
    expect(await apply(two ?? '')).toBe(0);
    expect((await status()).waiting[0]?.about?.superseded).toBe(true);
    expect((await here('bundle', 'status')).stdout).toContain('which a newer bundle has overtaken');
  });

  it('believes nothing that lies beside what waits, and shows hostile names harmlessly', async () => {
    const { pin, status, apply, data, here } = await enclave();
    await pin();
    const hostile = join(tempDirectory(), '\x1b[2J\u202e\nsafe to remove.002');
    copyFileSync(volume(2), hostile);
    expect(await apply(hostile)).toBe(3);
    expect((await status()).waiting[0]?.about?.volumes).toEqual(['\x1b[2J\u202e\nsafe to remove.002']);
    const { stdout } = await here('bundle', 'status');
    expect(stdout).toMatch(/^[\x20-\x7e\n…]+$/);
    expect(stdout).toContain('  read: \\x1b[2J\\u{202e}\\x0asafe to remove.002\n');
    const [partial = ''] = readdirSync(join(data, 'staging'));
    const at = (name: string) => join(data, 'staging', partial, name);
    for (const junk of ['', '[', '["a","a', '{"a":1}', `["${'x'.repeat(2000)}"]`, '[1]']) {
      writeFileSync(at('.volumes'), junk);
      expect((await status()).waiting[0]?.about?.volumes).toEqual([]);
    }
    const index = readFileSync(at('.index'));
    writeFileSync(at('.index'), index.subarray(1));
    expect((await status()).waiting[0]?.about).toBeUndefined();
    writeFileSync(at('.index'), index);
    // The head of another bundle.
    copyFileSync(join(SAMPLES, 'linux-baseline-1.bundle/bundle.dsse.json'), at('.envelope'));
    expect((await status()).waiting[0]?.about).toBeUndefined();
    expect(await apply(volume(1), hostile)).toBe(0);
  });

  it('ends with 4 where the state was tampered with, and changes nothing', async () => {
    const { pin, here, data, apply } = await enclave();
    await pin();
    expect(await apply(join(SAMPLES, 'linux-baseline-1.bundle.tar'))).toBe(0);
    const entries = join(data, 'logs/install/entries');
    const before = readdirSync(data, { recursive: true }).sort();
    expect((await here('bundle', 'status')).code).toBe(0);
    expect(readdirSync(data, { recursive: true }).sort()).toEqual(before);
    const [file = ''] = readdirSync(entries);
    const text = readFileSync(join(entries, file), 'utf8');
    writeFileSync(join(entries, file), text.replace('"seq":1', '"seq":2'));
    expectError(await here('bundle', 'status'), 'STATE_TAMPERED', 4);
  });

  it('is coloured on a terminal that wants it, and says the same without', async () => {
    const { pin, apply, data } = await enclave();
    await pin();
    expect(await apply(join(SAMPLES, 'linux-baseline-1.bundle.tar'))).toBe(0);
    const shown = (env: Record<string, string>, columns?: number) =>
      inside(['bundle', 'status', '--data', data], { env, ...(columns === undefined ? {} : { columns }) });
    const coloured = (await shown({}, 80)).stdout;
    expect(coloured).toContain('\x1b[1mActive\x1b[0m');
    const plain = (await shown({ NO_COLOR: '1' }, 80)).stdout;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: finding control characters is the point
    expect(coloured.replace(/\x1b\[[0-9;]*m/g, '')).toBe(plain);
    expect((await shown({})).stdout).toBe(plain);
    expect((await shown({ TERM: 'dumb' }, 80)).stdout).toBe(plain);
    const wide = (await shown({ NO_COLOR: '1' }, 200)).stdout;
    expect(wide.length).toBeGreaterThanOrEqual(plain.length);
  });
});

describe('on a terminal of 80 columns and 24 rows', () => {
  it('all of it is on the screen, with the prompt below', { timeout: 60_000 }, async () => {
    await ensureBuilt();
    const { pin, apply, here, data } = await enclave();
    await pin();
    expect(await apply(join(SAMPLES, 'linux-baseline-1.bundle.tar'))).toBe(0);
    expect(await apply(volume(1))).toBe(3);
    expect((await here('bundle', 'receipt', '--out', join(tempDirectory(), 'r'))).code).toBe(0);
    expect(await apply(join(SAMPLES, 'hostile/unsigned.bundle.tar'))).toBe(3);
    const script = `'${LAUNCHER}' bundle status --data data; printf 'typed next'`;
    const options = { columns: 80, rows: 24, env: environment(), cwd: join(data, '..') };
    const terminal = new PseudoTerminal('sh', ['-c', script], options);
    expect((await terminal.ended()).code).toBe(0);
    const { lines } = terminal;
    expect(lines[0]).toMatch(/^example-enclave: trust root 1 until /);
    expect(lines.filter((line) => line !== '').at(-1)).toBe('typed next');
    for (const title of ['Active', 'Waiting', 'Stale', 'Carry out']) expect(lines).toContain(title);
    expect(lines).toContain('  still missing: linux-baseline-2.002');
  });

  it.skipIf(process.getuid?.() !== 0)(
    'a user who may not look is told so in a sentence (skipped unless run by root)',
    { timeout: 60_000 },
    async () => {
      await ensureBuilt();
      const folder = tempDirectory();
      chmodSync(folder, 0o755);
      const { data, pin } = await enclave(folder);
      await pin();
      const nobody = ['--reuid', '65534', '--regid', '65534', '--clear-groups'];
      const args = [...nobody, LAUNCHER, 'bundle', 'status', '--data', data];
      const terminal = new PseudoTerminal('setpriv', args, { columns: 80, rows: 24, env: environment() });
      expect((await terminal.ended()).code).toBe(1);
      const text = terminal.lines.join('\n').trim();
      expect(text.replace(/\n/g, '')).toMatch(/^daemoneye: could not [^[]*: this user may not[^[]* \[NO_PERMISSION\]$/);
      // Where only the blobs are not for this user to see, the rest is told all the same or nothing is.
      chmodSync(data, 0o755);
      const again = new PseudoTerminal('setpriv', args, { columns: 80, rows: 24, env: environment() });
      expect((await again.ended()).code).toBe(1);
      expect(again.lines.join('')).toContain('[NO_PERMISSION]');
    },
  );
});
