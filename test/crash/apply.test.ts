import { cpSync, existsSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Digest } from '../../src/core/digest.ts';
import { applyBundle } from '../../src/install/apply-io.ts';
import { rollBack } from '../../src/install/rollback-io.ts';
import type { ChannelState } from '../../src/install/state.ts';
import { ensureBuilt } from '../support/cli.ts';
import { anyContent, CHANNEL, makeBundle, makeEnclave, open } from '../support/enclave.ts';
import { SLOW } from '../support/slow.ts';
import { callsMade, canTrace, killedAt } from '../support/strace.ts';
import { tempDirectory } from '../support/temp.ts';

const CHILD = join(import.meta.dirname, 'apply-child.ts');
/**
 * What changes a directory, or the bytes or length of a file, or makes a change durable: between two of these the disk
 * doesn't change, so a kill at each is a kill everywhere. A file that was opened and is still empty is met at its first
 * `write`. (Which also wakes up threads; such a kill is one too many.)
 */
const CALLS = ['rename', 'fsync', 'fdatasync', 'symlink', 'rmdir', 'pwrite64'];
const MORE = ['mkdir', 'unlink', 'ftruncate', 'fchmod', 'chmod', 'write'];
/** Under `SLOW=1` every call, and every kind; otherwise the first few and some of the rest. */
const following = (nth: number): number => (SLOW || nth < 3 ? nth + 1 : nth + 17);

type Stage = {
  readonly data: string;
  /** Arguments of the child. */
  readonly args: (data: string) => readonly string[];
  /** Seq of what is active before and after, and what its file holds. */
  readonly before: { readonly seq: number; readonly text: string };
  readonly after: { readonly seq: number; readonly text: string };
  /** Does the same again. @returns what came of it, where it had been done and where not */
  readonly again: (data: string) => Promise<string>;
  readonly expected: { readonly before: string; readonly after: string };
};

const options = { toolVersion: '0.1.0', content: anyContent, confirm: async () => true, reason: 'a test' };
const OLD = { seq: 1, text: 'old' };
const NEW = { seq: 2, text: 'new' };

async function twoBundles(): Promise<{ data: string; one: { path: string; payload: Digest }; two: { path: string } }> {
  const data = await makeEnclave();
  const one = await makeBundle(dirname(data), { files: { 'rule.yaml': 'old' } });
  const two = await makeBundle(dirname(data), { seq: 2, prev: one.payload, files: { 'rule.yaml': 'new' } });
  await applyHere(data, one.path);
  return { data, one, two };
}

async function anApply(): Promise<Stage> {
  const { data, two } = await twoBundles();
  return {
    data,
    args: (copy) => ['apply', copy, two.path],
    before: OLD,
    after: NEW,
    again: (copy) => applyHere(copy, two.path),
    expected: { before: 'applied', after: 'unchanged' },
  };
}

async function aRollback(): Promise<Stage> {
  const { data, two } = await twoBundles();
  await applyHere(data, two.path);
  return {
    data,
    args: (copy) => ['rollback', copy, CHANNEL],
    before: NEW,
    after: OLD,
    again: rollBackHere,
    expected: { before: 'rolled-back', after: 'NOTHING_BEFORE' },
  };
}

describe.skipIf(!canTrace)('killed at a system call', () => {
  beforeAll(ensureBuilt);

  it.each([
    ['an apply', anApply],
    ['a rollback', aRollback],
  ])(
    '%s leaves the old bundle or the new one, and the next command mends the rest',
    async (what, stage) => {
      const staged = await stage();
      const command = () => {
        const copy = join(tempDirectory(), 'data');
        cpSync(staged.data, copy, { recursive: true, verbatimSymlinks: true });
        return { copy, args: [CHILD, ...staged.args(copy)] };
      };
      const killed: Record<string, number> = {};
      const calls = SLOW ? [...CALLS, ...MORE] : CALLS;
      const made = callsMade(calls, command().args);
      for (const call of calls) {
        const times = made.get(call) ?? 0;
        for (let nth = 1; nth <= times; nth = following(nth)) {
          const { copy, args } = command();
          if (!killedAt(call, nth, args)) break;
          killed[call] = (killed[call] ?? 0) + 1;
          await expectOldOrNew(copy, staged);
          rmSync(dirname(copy), { recursive: true });
        }
        if (SLOW) console.info(`killed ${what} at ${killed[call]} × ${call}`);
      }
      // A call that is never made would prove nothing.
      for (const call of CALLS) expect(killed[call], call).toBeGreaterThan(0);
    },
    SLOW ? 900_000 : 120_000,
  );
});

async function expectOldOrNew(data: string, { before, after, again, expected }: Stage): Promise<void> {
  expectWhole(data, [before, after]);
  const install = await open(data);
  const held = install.state.channels.get(CHANNEL);
  await install[Symbol.asyncDispose]();
  const now = held?.active.seq === after.seq ? after : before;
  expect(held?.active.seq).toBe(now.seq);
  expect(held?.highest.seq).toBe(Math.max(held?.active.seq ?? 0, held?.highest.seq ?? 0));
  expectWhole(data, [now]);
  expectLinks(data, held);
  expect(await again(data)).toBe(now === after ? expected.after : expected.before);
}

/** Also before anything was mended, whoever reads through `active` finds one of these bundles, whole. */
function expectWhole(data: string, either: readonly { readonly seq: number; readonly text: string }[]): void {
  const active = join(data, 'bundles', 'rules~test', 'active');
  const seq = Number(readlinkSync(active));
  expect(either.map((one) => one.seq)).toContain(seq);
  const text = readFileSync(join(active, 'files', 'rule.yaml'), 'utf8');
  expect(text).toBe(either.find((one) => one.seq === seq)?.text);
}

function expectLinks(data: string, held: ChannelState | undefined): void {
  const previous = join(data, 'bundles', 'rules~test', 'previous');
  if (held?.previous === undefined) expect(existsSync(previous)).toBe(false);
  else expect(readlinkSync(previous)).toBe(String(held.previous.seq));
}

async function applyHere(data: string, path: string): Promise<string> {
  await using install = await open(data);
  return (await applyBundle(install, path, 'bundle', options)).status;
}

async function rollBackHere(data: string): Promise<string> {
  await using install = await open(data);
  try {
    return (await rollBack(install, CHANNEL, options)).status;
  } catch (error) {
    return (error as { code: string }).code;
  }
}
