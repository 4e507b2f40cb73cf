import { appendFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Attestation } from '../../src/bundle/attestations.ts';
import { packBundle } from '../../src/bundle/pack-io.ts';
import { displayWidth } from '../../src/cli/render/text.ts';
import { KIND_ROLES, kindBundle, kindsRoot } from '../install/kinds-support.ts';
import { ruleBytes } from '../rules/support.ts';
import { expectError, inside, jsonOf } from '../support/cli.ts';
import { testKey } from '../support/keys.ts';
import { tempDirectory } from '../support/temp.ts';
import { minisignKey } from '../verify/release/signing.ts';

type Told = {
  readonly verified: false;
  readonly diff: { readonly relation: string; readonly files: { readonly unchanged: number } };
  readonly content: { readonly unseen: readonly { path: string; reason: string }[]; readonly [part: string]: unknown };
};

const diff = (a: string, b: string, ...more: readonly string[]) => inside(['bundle', 'diff', a, b, ...more]);
const toldOf = async (a: string, b: string) => jsonOf<Told>(await diff(a, b, '--json'), 'bundle-diff');

const KEY = minisignKey(testKey('vendor')).split('\n')[1] ?? '';
const SQL = "SELECT entity, process_name FROM new_processes WHERE process_name = 'sh'";

async function pair() {
  const one = await kindBundle({
    kind: 'rules',
    files: { 'a.yaml': ruleBytes(), 'b.yaml': ruleBytes({ id: 'test-2' }) },
  });
  const changed = ruleBytes({ sql: `${SQL}\nOR process_name = 'bash'`, severity: 'high' });
  const files = { 'a.yaml': changed, 'c.yaml': ruleBytes({ id: 'test-3', name: 'A new one' }) };
  const two = await kindBundle({
    kind: 'rules',
    files,
    seq: 2,
    prev: one.payload,
    change: { expires: '2027-03-01T00:00:00.000Z' },
    signer: 'updates-a',
  });
  return { one, two };
}

describe('bundle diff', () => {
  it('tells a person what changes, on 80 columns, in colour or without, and that nothing was verified', async () => {
    const { one, two } = await pair();
    const tar = join(tempDirectory(), 'two.tar');
    await packBundle(two.path, tar);
    const plain = await diff(one.path, tar);
    expect([plain.code, plain.stderr]).toEqual([0, '']);
    expect(plain.stdout).toBe((await diff(one.path, two.path)).stdout);
    expect(plain.stdout.split('\n').filter((line) => displayWidth(line) > 80)).toEqual([]);
    expect(plain.stdout.split('\n')[0]).toMatch(/^NOT VERIFIED/);
    for (const line of [
      'rules/test seq 1 → seq 2, which follows it directly',
      'rules: 1 added, 1 changed, 1 removed, 0 unchanged',
      '  + test-3  A new one',
      '      version 3, low, test, T1059.004 execution',
      '  ~ test-0001  A shell (high, T1059.004 execution)',
      'severity  low → high',
      "        + OR process_name = 'bash'",
      'what it finds changed, but its version is still 3',
      '  signers (claimed)\n      - ',
      '  - test-2  A shell',
      'files: 1 added, 1 changed, 1 removed, 0 unchanged',
    ]) {
      expect(plain.stdout).toContain(line);
    }
    expect(plain.stdout).toMatch(/^ {2}expires +none → 2027-03-01T00:00:00\.000Z$/m);
    const coloured = await inside(['bundle', 'diff', one.path, two.path], { columns: 80 });
    expect(coloured.stdout).toContain('\u001b[');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: taking our own styles away
    expect(coloured.stdout.replace(/\u001b\[[0-9;]*m/g, '')).toBe(plain.stdout);
    const ascii = await inside(['bundle', 'diff', one.path, two.path], { env: { LC_ALL: 'C' } });
    expect(ascii.stdout).toMatch(/^[\x20-\x7e\n]+$/);
  });

  it('tells a program the same', async () => {
    const { one, two } = await pair();
    expect(await toldOf(one.path, two.path)).toMatchObject({
      verified: false,
      diff: { relation: 'follows', files: { added: [{ path: 'c.yaml' }], changed: [{ path: 'a.yaml' }] } },
      content: {
        rules: { added: [{ id: 'test-3' }], removed: [{ id: 'test-2' }], changed: [{ versionKept: true }] },
        unseen: [],
      },
    });
    expect((await toldOf(two.path, one.path)).diff.relation).toBe('precedes');
    expect((await toldOf(one.path, one.path)).diff).toMatchObject({
      relation: 'same',
      fields: [],
      files: { unchanged: 2 },
    });
  });

  it('tells of settings, of roles in a trust root, and of an update its files only', async () => {
    const config = async (text: string) => (await kindBundle({ kind: 'config', files: { 'config.yaml': text } })).path;
    const settings = await diff(
      await config('agent: {interval_ms: 500}\nsinks: [{name: siem, url: "https://siem.example"}]\n'),
      await config('agent: {interval_ms: 100}\naudience: [plant-7]\nsinks: []\n'),
    );
    expect(settings.stdout).toContain('settings: 3 changed');
    expect(settings.stdout).toMatch(/agent\.interval_ms +500 → 100\n/);
    expect(settings.stdout).toMatch(/sinks +- siem https:\/\/siem\.example\n/);
    expect(settings.stdout).toMatch(/audience +\+ plant-7\n/);

    const roots = [
      kindsRoot(),
      kindsRoot({ version: 2, roles: { ...KIND_ROLES, config: { keys: ['rules-a', 'config-a'] } } }),
    ];
    const files = Object.fromEntries(roots.map(({ version, bytes }) => [`${version}.root.dsse.json`, bytes]));
    const [first] = roots;
    const trust = await diff(
      (await kindBundle({ kind: 'trust', files: { '1.root.dsse.json': first?.bytes ?? '' } })).path,
      (await kindBundle({ kind: 'trust', files, roots })).path,
    );
    expect(trust.stdout).toMatch(/version +1 → 2\n/);
    expect(trust.stdout).toMatch(/role config\n +- 1 of 1\n +\+ 1 of 2\n +\+ key [0-9a-f]{64}\n/);
    expect(trust.stdout.split('\n').filter((line) => displayWidth(line) > 80)).toEqual([]);

    const update = async (text: string, name: string) =>
      (await kindBundle({ kind: 'update', files: { [name]: text, 'bin/same': 'x' } })).path;
    const [old, now] = [await update('a', 'bin/x'), await update('bb', 'bin/x.sh')];
    // Not even looked for: nothing of an update is read for a comparison.
    rmSync(join(now, 'blobs'), { recursive: true });
    const { stdout } = await diff(old, now);
    expect(stdout).toContain('files: 1 added, 0 changed, 1 removed, 1 unchanged; 2 → 3 bytes');
    expect(stdout).toContain('  + bin/x.sh  0755, 2 bytes');
  });

  it('tells whom the signatures of vendors must be of, where an update demands others', async () => {
    const mini = { type: 'minisign', material: 'x.minisig', key: KEY } as const;
    const sigstore = { type: 'sigstore', material: 'x.json', issuer: 'https://a' } as const;
    const policy = { source: 'https://s' };
    const files = { 'bin/x': 'x', 'x.json': '{}', 'x.minisig': 'm' };
    const update = async (...attestations: readonly Attestation[]) =>
      (await kindBundle({ kind: 'update', files, change: { attestations: new Map([['bin/x', attestations]]) } })).path;
    const before = await update(mini, { ...sigstore, identity: 'dev@x', policy });
    const after = await update({ ...sigstore, identity: 'evil\u001b[2J@x', trustedRoot: 'pin:own' });
    const { stdout } = await diff(before, after);
    expect(stdout).toMatch(/^[\x20-\x7e\n→~…]+$/);
    for (const line of [
      'files: 0 added, 0 changed, 0 removed, 3 unchanged',
      "third parties' signatures: what they must be",
      '  ~ bin/x  by x.json\n',
      'dev@x → evil\\x1b[2J@x\n',
      'policy.source  https://s → none\n',
      'none → pin:own\n',
      '  - bin/x  by x.minisig\n',
    ])
      expect(stdout).toContain(line);
    expect((await toldOf(before, after)).diff).toMatchObject({
      attestations: [{ path: 'bin/x', material: 'x.json' }, { material: 'x.minisig' }],
    });
  });

  it('says what it could not look into, and takes no blob for what it is not', async () => {
    const { one, two } = await pair();
    const [missing = '', other = ''] = readdirSync(join(two.path, 'blobs/sha256')).sort();
    rmSync(join(two.path, 'blobs/sha256', missing));
    appendFileSync(join(two.path, 'blobs/sha256', other), ' ');
    const { content } = await toldOf(one.path, two.path);
    expect(content.unseen).toMatchObject([
      { side: 'after', path: 'a.yaml' },
      { side: 'after', path: 'c.yaml' },
    ]);
    expect((await diff(one.path, two.path)).stdout).toContain('a.yaml (after): it is not there');
  });

  it('lets nothing from a bundle act on the terminal', async () => {
    const { one } = await pair();
    const evil = '\u001b]0;owned\u0007\u202e';
    const files = { 'a.yaml': ruleBytes({ name: 'x\u001b[31m', sql: `${SQL} -- ${evil}` }), 'c.yaml': `- ${evil}` };
    const two = await kindBundle({ kind: 'rules', files });
    const ran = await diff(one.path, two.path);
    expect(ran.stdout).toMatch(/^[\x20-\x7e\n→~…]+$/);
    expect((await diff(one.path, two.path, '--json')).stdout).toMatch(/^[\x20-\x7e\n]+$/);
  });

  it('refuses what is no bundle, or says of itself what is not so', async () => {
    const { one, two } = await pair();
    expectError(await diff(one.path, tempDirectory()), 'NOT_A_BUNDLE', 1);
    expectError(await diff(one.path, join(tempDirectory(), 'none')), 'NOT_FOUND', 1);
    appendFileSync(join(two.path, 'index.jsonl'), '\n');
    expect((await diff(one.path, two.path)).code).toBe(3);
    const three = (await pair()).two;
    const index = join(three.path, 'index.jsonl');
    writeFileSync(index, readFileSync(index, 'utf8').replace('a.yaml', 'b.yaml'));
    expectError(await diff(one.path, three.path), 'INDEX_MISMATCH', 3);
  });
});
