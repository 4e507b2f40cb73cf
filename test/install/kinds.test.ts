import { readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodeIndex, parseIndex } from '../../src/bundle/index-lines.ts';
import { parseStatement } from '../../src/bundle/statement.ts';
import { settingsOfBundle } from '../../src/config/bundle.ts';
import { utf8 } from '../../src/core/bytes.ts';
import { readInstall } from '../../src/install/install-io.ts';
import { verifyTrustFiles } from '../../src/install/kinds/trust.ts';
import { loadPinnedRoot } from '../../src/install/root-store-io.ts';
import { activeBundlesOf } from '../../src/install/stored-bundle-io.ts';
import type { RootFile } from '../../src/verify/root-chain.ts';
import { parseRoot } from '../../src/verify/trust-root.ts';
import type { Files } from '../bundle/sample.ts';
import { ruleBytes } from '../rules/support.ts';
import { BUILT_AT } from '../support/enclave.ts';
import { expectCode, expectCodeAsync } from '../support/expect-code.ts';
import { expectRefused, judge, makeBundle, trustOf } from '../support/trust.ts';
import { applyKind, KIND_ROLES, kindBundle, kindsEnclave, kindsRoot, verdictOf } from './kinds-support.ts';

const SETTINGS = 'agent:\n  interval_ms: 500\nretention: {store_days: 7}\n';
const config = (text: string) => ({ 'config.yaml': text });

describe('a bundle of kind config', () => {
  it('is applied, and its settings are read from the log down', async () => {
    const data = await kindsEnclave();
    const { path } = await kindBundle({ kind: 'config', files: config(SETTINGS) });
    expect((await applyKind(data, path)).status).toBe('applied');
    const { layout, state } = await readInstall(data, BUILT_AT);
    const root = loadPinnedRoot(layout, state);
    const [active] = activeBundlesOf('config', layout, state, root).believed;
    const files = active?.entries.map((entry) => ({ path: entry.path, bytes: active.read(entry) })) ?? [];
    expect(settingsOfBundle(files)).toEqual({ 'agent.interval_ms': 500, 'retention.store_days': 7 });
    expect(activeBundlesOf('rules', layout, state, root)).toEqual({ believed: [], revoked: [] });
    const file = join(data, 'bundles/config~test/1/files/config.yaml');
    writeFileSync(file, SETTINGS.replace('500', '999'));
    expectCode(() => active?.entries.map((entry) => active.read(entry)), 'STATE_TAMPERED');
  });

  it.each<[string, Files, string]>([
    ['__proto__', config('__proto__: {agent: {interval_ms: 500}}'), 'CONFIG_SCHEMA'],
    ['an alias', config('x: &x {a: 1}\nagent:\n  <<: *x'), 'CONFIG_YAML'],
    ['too much', config(`# ${'x'.repeat(70_000)}\n${SETTINGS}`), 'CONFIG_TOO_LARGE'],
    ['a second file', { ...config(SETTINGS), 'more.yaml': SETTINGS }, 'CONFIG_FILES'],
  ])('is refused with %s (test/config/bundle.test.ts has the rest)', async (_, files, code) => {
    const data = await kindsEnclave();
    const { path } = await kindBundle({ kind: 'config', files });
    expect(verdictOf(await applyKind(data, path))).toEqual(['content', code]);
    expect(readdirSync(join(data, 'bundles'))).toEqual([]);
  });
});

describe('a bundle of kind update', () => {
  const files = { 'bin/tool.sh': '#!/bin/sh\ntouch "$0.ran"\n', 'share/text': 'old' };

  it('is unpacked beside the version before it, with its modes, and nothing of it is run', async () => {
    const data = await kindsEnclave();
    const one = await kindBundle({ kind: 'update', files });
    const changed = { ...files, 'share/text': 'new' };
    const two = await kindBundle({ kind: 'update', files: changed, seq: 2, prev: one.payload });
    const umask = process.umask(0o077);
    try {
      for (const { path } of [one, two]) expect((await applyKind(data, path)).status).toBe('applied');
    } finally {
      process.umask(umask);
    }
    const channel = join(data, 'bundles/update~test');
    expect(readdirSync(channel).sort()).toEqual(['1', '2', 'active', 'previous']);
    expect([readlinkSync(join(channel, 'active')), readlinkSync(join(channel, 'previous'))]).toEqual(['2', '1']);
    const text = (seq: string) => readFileSync(join(channel, seq, 'files/share/text'), 'utf8');
    expect([text('1'), text('2')]).toEqual(['old', 'new']);
    const mode = (path: string) => (statSync(join(channel, '2/files', path)).mode & 0o7777).toString(8);
    expect([mode('bin/tool.sh'), mode('share/text'), mode('bin')]).toEqual(['755', '644', '755']);
    expect(readdirSync(join(channel, '2/files/bin'))).toEqual(['tool.sh']);
  });

  it('is refused when there is nothing in it', async () => {
    const { path } = await kindBundle({ kind: 'update', files: {} });
    expect(verdictOf(await applyKind(await kindsEnclave(), path))).toEqual(['content', 'UPDATE_EMPTY']);
  });

  const line = (path: string, mode: string) =>
    `{"mode":"${mode}","path":${JSON.stringify(path)},"sha256":"${'0'.repeat(64)}","size":0}\n`;
  it.each([
    ['a set-uid mode', line('a', '4755'), 'INDEX_MALFORMED'],
    ['a set-gid mode', line('a', '2755'), 'INDEX_MALFORMED'],
    ['a mode that others may write', line('a', '0777'), 'INDEX_MALFORMED'],
    ['a mode that is a number', line('a', '0644').replace('"0644"', '420'), 'INDEX_MALFORMED'],
    ['an absolute path', line('/etc/cron.d/x', '0644'), 'PATH_ABSOLUTE'],
    ['a drive', line('C:/x', '0644'), 'PATH_DRIVE'],
    ['a way out', line('../../x', '0644'), 'PATH_TRAVERSAL'],
    ['case twins', line('Bin/x', '0755') + line('bin/X', '0755'), 'PATH_TWIN'],
    ['case twins of directories', line('Bin/x', '0755') + line('bin/y', '0755'), 'PATH_TWIN'],
    ['a file where a directory is', line('a', '0644') + line('a/b', '0644'), 'PATH_FILE_AND_DIRECTORY'],
  ])('can have no index with %s', (_, index, code) => {
    expectCode(() => parseIndex(utf8(index), { lines: index.split('\n').length - 1, bytes: 0 }), code);
  });

  it('can not be built with what its index may not say', () => {
    const entry = { path: 'a', size: 0, sha256: '0'.repeat(64) };
    expectCode(() => encodeIndex([{ ...entry, mode: '4755' as '0755' }]), 'INDEX_MALFORMED');
  });
});

describe('a bundle of kind trust', () => {
  const roles = { ...KIND_ROLES, root: { keys: ['root-b'] } };
  const one = kindsRoot();
  const two = kindsRoot({ version: 2, issuedAt: '2026-03-01T00:00:00.000Z' });
  const rotated = kindsRoot({ version: 2, roles }, ['root-a', 'root-b']);
  const byNewOnly = kindsRoot({ version: 2, roles }, ['root-b']);
  const byOldOnly = kindsRoot({ version: 2, roles }, ['root-a']);
  const filesOf = (...roots: readonly RootFile[]): Files =>
    Object.fromEntries(roots.map(({ version, bytes }) => [`${version}.root.dsse.json`, bytes]));
  const trust = (roots: readonly RootFile[], files: Files = filesOf(...roots), signer = 'root-a') =>
    kindBundle({ kind: 'trust', files, roots, signer, change: { issuedAt: '2026-03-02T00:00:00.000Z' } });

  it('extends the chain, and what it brought is kept', async () => {
    const data = await kindsEnclave();
    const { path } = await trust([one, rotated], filesOf(one, rotated), 'root-b');
    expect((await applyKind(data, path)).status).toBe('applied');
    expect((await readInstall(data, BUILT_AT)).state.root?.version).toBe(2);
    expect(readdirSync(join(data, 'trust/roots')).sort()).toEqual(['1.root.dsse.json', '2.root.dsse.json']);
    const old = await kindBundle({ kind: 'config', files: config(SETTINGS) });
    expect(verdictOf(await applyKind(data, old.path))).toEqual(['root-chain', 'ROOT_ROLLBACK']);
  });

  const judgeFiles = (files: Files, carried: readonly RootFile[], pinned: RootFile | undefined = one) => {
    const entries = Object.keys(files).map((path) => {
      return { path, mode: '0644' as const, size: files[path]?.length ?? 0, sha256: '0'.repeat(64) };
    });
    const read = ({ path }: { readonly path: string }) => {
      const found = files[path] ?? '';
      return typeof found === 'string' ? utf8(found) : found;
    };
    return verifyTrustFiles(entries, read, carried, pinned && parseRoot(pinned.bytes)).map(({ version }) => version);
  };

  it('is judged from the version that is pinned', () => {
    expect(judgeFiles(filesOf(two, one), [one, two])).toEqual([1, 2]);
    expect(judgeFiles(filesOf(one, two), [one, two], two)).toEqual([2]);
  });

  it.each<[string, readonly RootFile[], Files, string, RootFile?]>([
    ['no version', [one, two], {}, 'TRUST_FILES'],
    ['a stranger among them', [one, two], { ...filesOf(one, two), 'draft.json': '{}' }, 'TRUST_FILES'],
    ['a version in a folder', [one, two], { 'root/1.root.dsse.json': one.bytes }, 'TRUST_FILES'],
    ['a version with a leading zero', [one], { '01.root.dsse.json': one.bytes }, 'TRUST_FILES'],
    ['a version that is too large', [one], { '1.root.dsse.json': ' '.repeat(600 * 1024) }, 'TRUST_FILES'],
    ['a gap', [one, two], filesOf(two), 'ROOT_CHAIN_GAP'],
    ['a version named as another', [one, two], { ...filesOf(one), '2.root.dsse.json': one.bytes }, 'ROOT_CHAIN_GAP'],
    ['less than the chain it carries', [one, two], filesOf(one), 'TRUST_CHAIN_DIFFERS'],
    ['more than the chain it carries', [one], filesOf(one, two), 'TRUST_CHAIN_DIFFERS'],
    ['another version 2 than it carries', [one, two], filesOf(one, rotated), 'TRUST_CHAIN_DIFFERS'],
    ['a root that only its own keys signed', [one], filesOf(one, byNewOnly), 'ROOT_SIGNATURES_PREVIOUS'],
    ['a root that only the old keys signed', [one], filesOf(one, byOldOnly), 'ROOT_SIGNATURES_OWN'],
    ['a root that is none', [one], { ...filesOf(one), '2.root.dsse.json': '{}' }, 'ROOT_MALFORMED'],
    ['a rollback', [one], filesOf(one), 'ROOT_ROLLBACK', two],
    ['another publisher', [one, rotated], filesOf(one, rotated), 'ROOT_PIN_MISMATCH', two],
  ])('is refused with %s', (_, carried, files, code, pinned = one) =>
    expectCode(() => judgeFiles(files, carried, pinned), code),
  );

  it.each([
    ['a gap', filesOf(two), 'ROOT_CHAIN_GAP'],
    ['a root that only its own keys signed', filesOf(one, byNewOnly), 'ROOT_SIGNATURES_PREVIOUS'],
  ])('is refused by apply with %s', async (_, files, code) => {
    const data = await kindsEnclave();
    const { path } = await trust([one], files);
    expect(verdictOf(await applyKind(data, path))).toEqual(['content', code]);
    expect(readdirSync(join(data, 'bundles'))).toEqual([]);
  });

  it('of an older or another root than the one pinned is refused before its content is looked at', async () => {
    const data = await kindsEnclave();
    await applyKind(data, (await trust([one, two])).path);
    expect(verdictOf(await applyKind(data, (await trust([one])).path))).toEqual(['root-chain', 'ROOT_ROLLBACK']);
    const other = await trust([one, rotated], filesOf(one, rotated), 'root-b');
    expect(verdictOf(await applyKind(data, other.path))).toEqual(['root-chain', 'ROOT_PIN_MISMATCH']);
  });
});

describe('a kind', () => {
  it.each([
    ['config', 'rules-a'],
    ['config', 'updates-a'],
    ['config', 'root-a'],
    ['rules', 'config-a'],
    ['update', 'rules-a'],
    ['update', 'config-a'],
    ['trust', 'rules-a'],
    ['trust', 'config-a'],
  ] as const)('%s signed by %s is refused', (kind, signer) => {
    const bundle = makeBundle({ statement: { kind }, signers: [signer], roots: [kindsRoot()] });
    const pinned = parseRoot(kindsRoot().bytes);
    expectRefused(judge(bundle, trustOf({ floor: BUILT_AT, pinned })), 'signatures', 'ROLE_NOT_HELD');
  });

  it('does not travel on the channel of another', async () => {
    const { path } = await kindBundle({ kind: 'config', files: config(SETTINGS), channel: 'rules/test' });
    expect(verdictOf(await applyKind(await kindsEnclave(), path))).toEqual(['signatures', 'CHANNEL_OF_OTHER_KIND']);
  });

  it('needs its role in the trust root at all', async () => {
    const { root, rules } = KIND_ROLES;
    const first = kindsRoot({ roles: { root, rules }, keys: { 'config-a': {} } });
    const { path } = await kindBundle({ kind: 'config', files: config(SETTINGS), roots: [first] });
    expect(verdictOf(await applyKind(await kindsEnclave(first), path))).toEqual(['signatures', 'ROLE_NOT_HELD']);
  });

  it('rules with settings inside, or config with a rule inside, is refused', async () => {
    const rules = await kindBundle({ kind: 'rules', files: config(SETTINGS) });
    expect(verdictOf(await applyKind(await kindsEnclave(), rules.path))).toEqual(['content', 'CONTENT_REFUSED']);
    const settings = await kindBundle({ kind: 'config', files: { 'config.yaml': ruleBytes() } });
    expect(verdictOf(await applyKind(await kindsEnclave(), settings.path))).toEqual(['content', 'CONFIG_SCHEMA']);
  });

  it('that is unknown can neither be built nor read', async () => {
    const kind = 'plugin' as 'rules';
    await expectCodeAsync(kindBundle({ kind, files: {}, signer: 'rules-a' }), 'BUILD_INPUT');
    const statement = utf8(
      '{"_type":"https://in-toto.io/Statement/v1","predicate":{"kind":"plugin"},"predicateType":"urn:daemoneye:bundle:v1"}',
    );
    expectCode(() => parseStatement(statement), 'KIND_UNKNOWN');
  });

  it('trust must be signed by holders in the newest root it brings', async () => {
    const roles = { ...KIND_ROLES, root: { keys: ['root-b'] } };
    const roots = [kindsRoot(), kindsRoot({ version: 2, roles, keys: { 'root-a': {} } }, ['root-a', 'root-b'])];
    const files = Object.fromEntries(roots.map(({ version, bytes }) => [`${version}.root.dsse.json`, bytes]));
    const data = await kindsEnclave();
    const { path } = await kindBundle({ kind: 'trust', files, roots, signer: 'root-a' });
    expect(verdictOf(await applyKind(data, path))).toEqual(['signatures', 'ROLE_NOT_HELD']);
    // Verified roots are kept also when the bundle around them is refused.
    expect((await readInstall(data, BUILT_AT)).state.root?.version).toBe(2);
  });
});
