import { cpSync, existsSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decidingCheck } from '../../src/core/checks.ts';
import { type ApplyOptions, type ApplyOutcome, applyBundle } from '../../src/install/apply-io.ts';
import { readInstall } from '../../src/install/install-io.ts';
import { parseLine } from '../../src/ledger/line.ts';
import { openLedgerReader } from '../../src/ledger/reader-io.ts';
import { anyContent, BUILT_AT, CHANNEL, makeBundle, makeEnclave, open, rootOne, rootTwo } from '../support/enclave.ts';
import { expectCodeAsync } from '../support/expect-code.ts';

const channelOf = (data: string) => join(data, 'bundles', 'rules~test');

async function apply(data: string, path: string, options: Partial<ApplyOptions> = {}): Promise<ApplyOutcome> {
  await using install = await open(data);
  const defaults = { toolVersion: '0.1.0', content: anyContent, confirm: async () => true };
  return await applyBundle(install, path, 'bundle', { ...defaults, ...options });
}

async function loggedTypes(data: string): Promise<string[]> {
  using reader = await openLedgerReader(join(data, 'logs', 'install'));
  const types: string[] = [];
  for await (const line of reader.lines()) types.push(parseLine(line).type);
  return types;
}

/** Everything under a directory except the log and its anchor: paths, types, contents. */
function snapshot(data: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const entry of readdirSync(data, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (path.includes('/logs/') || path.endsWith('install.checkpoint')) continue;
    files[path] = entry.isSymbolicLink()
      ? readlinkSync(path)
      : entry.isFile()
        ? readFileSync(path, 'utf8')
        : 'directory';
  }
  return files;
}

describe('apply', () => {
  it('makes a bundle active, with its files at their paths and modes, and logs it', async () => {
    const data = await makeEnclave();
    const { path, payload } = await makeBundle(dirname(data));
    const outcome = await apply(data, path);
    expect(outcome).toMatchObject({
      status: 'applied',
      plan: { diff: { files: { added: [{ path: 'deep/two.yaml' }, { path: 'one.yaml' }] } } },
    });
    const active = join(channelOf(data), 'active');
    expect(readlinkSync(active)).toBe('1');
    expect(readFileSync(join(active, 'files', 'deep', 'two.yaml'), 'utf8')).toBe('two');
    expect(statSync(join(active, 'files', 'one.yaml')).mode & 0o777).toBe(0o644);
    expect(await loggedTypes(data)).toEqual(['trust.pinned', 'bundle.applied']);
    const { state } = await readInstall(data, BUILT_AT);
    expect(state.channels.get(CHANNEL)).toEqual({ highest: { seq: 1, payload }, active: { seq: 1, payload } });
    expect(readdirSync(join(data, 'staging'))).toEqual([]);
  });

  it('keeps the one before as previous, and no more', async () => {
    const data = await makeEnclave();
    const one = await makeBundle(dirname(data));
    const two = await makeBundle(dirname(data), {
      seq: 2,
      prev: one.payload,
      files: { 'one.yaml': 'other', 'new.yaml': '' },
    });
    const three = await makeBundle(dirname(data), { seq: 3, prev: two.payload });
    await apply(data, one.path);
    const second = await apply(data, two.path);
    expect(second).toMatchObject({
      plan: {
        activeSeq: 1,
        diff: {
          relation: 'follows',
          files: {
            added: [{ path: 'new.yaml' }],
            removed: [{ path: 'deep/two.yaml' }],
            changed: [{ path: 'one.yaml' }],
            unchanged: 0,
          },
        },
      },
    });
    await apply(data, three.path);
    expect(readdirSync(channelOf(data)).sort()).toEqual(['2', '3', 'active', 'previous']);
    expect(readlinkSync(join(channelOf(data), 'previous'))).toBe('2');
  });

  it('does nothing for the bundle that is active already', async () => {
    const data = await makeEnclave();
    const { path } = await makeBundle(dirname(data));
    await apply(data, path);
    const before = snapshot(data);
    expect((await apply(data, path)).status).toBe('unchanged');
    expect(snapshot(data)).toEqual(before);
    expect(await loggedTypes(data)).toEqual(['trust.pinned', 'bundle.applied']);
  });

  it.each([
    ['a dry run', { dryRun: true }, 'dry-run'],
    ['a no', { confirm: async () => false }, 'declined'],
  ])('changes nothing after %s', async (_what, options, status) => {
    const data = await makeEnclave();
    const { path } = await makeBundle(dirname(data));
    const before = snapshot(data);
    expect((await apply(data, path, options)).status).toBe(status);
    expect(snapshot(data)).toEqual(before);
    expect(await loggedTypes(data)).toEqual(['trust.pinned']);
  });

  it('refuses a replay, a fork and a bundle for others, and logs why', async () => {
    const data = await makeEnclave();
    const one = await makeBundle(dirname(data));
    const two = await makeBundle(dirname(data), { seq: 2, prev: one.payload });
    const fork = await makeBundle(dirname(data), { seq: 2, prev: one.payload, files: { 'x.yaml': 'fork' } });
    const elsewhere = await makeBundle(dirname(data), { seq: 3, prev: two.payload, audience: ['enclave-2'] });
    await apply(data, one.path);
    await apply(data, two.path);
    const before = snapshot(data);
    for (const [bundle, code] of [
      [one, 'SEQUENCE_REPLAY'],
      [fork, 'SEQUENCE_FORK'],
      [elsewhere, 'NOT_FOR_THIS_ENCLAVE'],
    ] as const) {
      const outcome = await apply(data, bundle.path);
      expect(outcome.status).toBe('refused');
      expect(decidingCheck(outcome.report)?.code).toBe(code);
    }
    expect(snapshot(data)).toEqual(before);
    expect((await loggedTypes(data)).slice(-3)).toEqual(Array(3).fill('bundle.refused'));
  });

  it('refuses content that the check refuses, and leaves nothing staged', async () => {
    const data = await makeEnclave();
    const { path } = await makeBundle(dirname(data));
    const content = async () => ({ ok: false, reason: 'a rule does not compile' });
    const outcome = await apply(data, path, { content });
    expect(decidingCheck(outcome.report)).toMatchObject({ name: 'content', code: 'CONTENT_REFUSED' });
    expect(existsSync(channelOf(data))).toBe(false);
    expect(readdirSync(join(data, 'staging'))).toEqual([]);
  });

  it('keeps a newer trust root also when the bundle around it is refused', async () => {
    const data = await makeEnclave();
    const first = rootOne();
    const rootChain = [first, rootTwo(first)];
    const refused = await makeBundle(dirname(data), { rootChain, signers: ['a'] });
    expect((await apply(data, refused.path)).status).toBe('refused');
    const { state } = await readInstall(data, BUILT_AT);
    expect(state.root?.version).toBe(2);
    expect(state.floor).toBe('2026-03-01T00:00:00.000Z');
    const older = await makeBundle(dirname(data));
    expect(decidingCheck((await apply(data, older.path)).report)?.code).toBe('ROOT_ROLLBACK');
  });

  it('raises the floor by what it applied, and then an expired one is refused', async () => {
    const data = await makeEnclave();
    const one = await makeBundle(dirname(data), { issuedAt: '2026-06-01T00:00:00.000Z' });
    await apply(data, one.path);
    const expired = await makeBundle(dirname(data), { seq: 2, prev: one.payload, expires: '2026-05-01T00:00:00.000Z' });
    expect(decidingCheck((await apply(data, expired.path)).report)?.code).toBe('EXPIRED');
  });

  it('stops between steps when asked to, and nothing has changed', async () => {
    const data = await makeEnclave();
    const { path } = await makeBundle(dirname(data));
    const before = snapshot(data);
    const stop = new AbortController();
    const confirm = async () => {
      stop.abort();
      return true;
    };
    await expect(apply(data, path, { signal: stop.signal, confirm })).rejects.toThrow();
    expect(snapshot(data)).toEqual(before);
    expect(await loggedTypes(data)).toEqual(['trust.pinned']);
  });

  it('cleans up what a crash before the commit left, and mends the links after one behind it', async () => {
    const data = await makeEnclave();
    const { path } = await makeBundle(dirname(data));
    cpSync(path, join(data, 'staging', 'incoming-crashed'), { recursive: true });
    cpSync(path, join(channelOf(data), '1'), { recursive: true });
    await (await open(data))[Symbol.asyncDispose]();
    expect(existsSync(channelOf(data))).toBe(false);
    expect(readdirSync(join(data, 'staging'))).toEqual([]);

    await apply(data, path);
    const { rmSync, symlinkSync } = await import('node:fs');
    rmSync(join(channelOf(data), 'active'));
    symlinkSync('elsewhere', join(channelOf(data), 'previous'));
    await (await open(data))[Symbol.asyncDispose]();
    expect(readlinkSync(join(channelOf(data), 'active'))).toBe('1');
  });
});

describe('a data directory that somebody touched', () => {
  const appliedEnclave = async () => {
    const data = await makeEnclave();
    const { path } = await makeBundle(dirname(data));
    await apply(data, path);
    return data;
  };
  const change = (file: string, from: string, to: string) => {
    const text = readFileSync(file, 'utf8');
    expect(text).toContain(from);
    writeFileSync(file, text.replace(from, to));
  };

  it('is refused when a line of the log was changed', async () => {
    const data = await appliedEnclave();
    change(join(data, 'logs', 'install', 'entries', '000000000000.ndjson'), '"kind":"rules"', '"kind":"rulez"');
    await expectCodeAsync(readInstall(data, BUILT_AT), 'STATE_TAMPERED');
    await expectCodeAsync(open(data), 'TAMPERED');
  });

  it('is refused when log and heads were cut back together to an older state', async () => {
    const data = await makeEnclave();
    const log = join(data, 'logs', 'install');
    cpSync(log, join(data, 'older'), { recursive: true });
    const { path } = await makeBundle(dirname(data));
    await apply(data, path);
    const { rmSync } = await import('node:fs');
    rmSync(log, { recursive: true });
    cpSync(join(data, 'older'), log, { recursive: true });
    await expectCodeAsync(readInstall(data, BUILT_AT), 'STATE_TAMPERED');
    await expectCodeAsync(open(data), 'TAMPERED');
  });

  it('is refused when what would show that is taken away', async () => {
    const data = await appliedEnclave();
    const { rmSync } = await import('node:fs');
    rmSync(join(data, 'trust', 'install.checkpoint'));
    await expectCodeAsync(readInstall(data, BUILT_AT), 'STATE_TAMPERED');
    await expectCodeAsync(open(data), 'STATE_TAMPERED');
  });

  it('is refused when the pinned root is another', async () => {
    const data = await appliedEnclave();
    const first = rootOne();
    writeFileSync(join(data, 'trust', 'roots', '1.root.dsse.json'), rootTwo(first));
    const { path } = await makeBundle(dirname(data), { seq: 2, prev: `sha256:${'0'.repeat(64)}` });
    await expectCodeAsync(apply(data, path), 'STATE_TAMPERED');
  });

  it('is refused when the active bundle is gone, or its index is another', async () => {
    const gone = await appliedEnclave();
    const { rmSync } = await import('node:fs');
    rmSync(join(channelOf(gone), '1'), { recursive: true });
    await expectCodeAsync(open(gone), 'STATE_TAMPERED');

    const data = await appliedEnclave();
    const { state } = await readInstall(data, BUILT_AT);
    change(join(channelOf(data), '1', 'index.jsonl'), 'one.yaml', 'two.yaml');
    const prev = state.channels.get(CHANNEL)?.highest.payload ?? null;
    const { path } = await makeBundle(dirname(data), { seq: 2, prev });
    await expectCodeAsync(apply(data, path), 'STATE_TAMPERED');
  });
});
