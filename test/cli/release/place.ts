import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import type { Report } from '../../../src/core/checks.ts';
import { inside, jsonOf } from '../../support/cli.ts';
import { testKey } from '../../support/keys.ts';
import { tempDirectory } from '../../support/temp.ts';
import { minisignKey, signifyKey, sshKeyLine } from '../../verify/release/signing.ts';

export const OURS = testKey('release');
export const OTHER = testKey('somebody else');
export const DATA = Buffer.alloc(300_000, 'release');
export const HEX = createHash('sha256').update(DATA).digest('hex');

/** A directory with a release in it, and one for what is trusted. In arguments, `@name` is a path there, unless it has a version after it. */
export function place(files: Readonly<Record<string, string | Uint8Array>> = {}) {
  const directory = tempDirectory();
  const at = (name: string) => join(directory, name);
  const all = {
    'tool.tar': DATA,
    'trust/mini.pub': minisignKey(OURS),
    'trust/signify.pub': signifyKey(OURS),
    'trust/signers': `dev@x ${sshKeyLine(OURS)}\n`,
    'trust/key.pem': OURS.publicKey.pem,
    ...files,
  };
  for (const [name, content] of Object.entries(all)) {
    mkdirSync(dirname(at(name)), { recursive: true });
    writeFileSync(at(name), content);
  }
  const args = (given: readonly string[]) => given.map((arg) => (/^@[^@]*$/.test(arg) ? at(arg.slice(1)) : arg));
  const run = (...given: string[]) => inside(['release', 'verify', ...args(given), '--data', at('data')]);
  return { at, run };
}

/** The report, and that the exit code says the same. */
export async function verify(where: ReturnType<typeof place>, ...args: string[]) {
  const ran = await where.run(...args, '--json');
  const report = jsonOf<Report>(ran, 'report');
  expect(ran.code).toBe(report.verdict === 'trusted' ? 0 : 3);
  return { report, codes: report.checks.map(({ name, status, code }) => [name, code ?? status]) };
}
