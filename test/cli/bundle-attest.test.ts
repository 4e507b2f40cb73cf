import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseSbom } from '../../src/verify/release/sbom/formats.ts';
import { snapshot, writeTree } from '../bundle/sample.ts';
import { kindsRoot } from '../install/kinds-support.ts';
import { expectError, inside } from '../support/cli.ts';
import { testKey } from '../support/keys.ts';
import { tempDirectory } from '../support/temp.ts';
import { minisign, minisignKey } from '../verify/release/signing.ts';

const VENDOR = testKey('vendor');
const KEY = minisignKey(VENDOR).split('\n')[1] ?? '';
const TOOL = Buffer.from('#!/bin/sh\necho tool\n');
const MINI = { type: 'minisign', material: 'tool.sh.minisig', key: KEY };

/** A source, a root to carry, and a file for --attest. */
function workshop(attest: string | object) {
  const directory = tempDirectory();
  const at = (name: string) => join(directory, name);
  mkdirSync(at('src'));
  writeTree(at('src'), { 'tool.sh': TOOL, 'tool.sh.minisig': minisign(VENDOR, TOOL), 'share/a': 'a' });
  mkdirSync(at('root'));
  writeFileSync(at('root/1.root.dsse.json'), kindsRoot().bytes);
  writeFileSync(at('attest'), typeof attest === 'string' ? attest : JSON.stringify(attest));
  const build = (out: string, ...more: readonly string[]) => {
    const place = ['--kind', 'update', '--channel', 'update/test', '--issued-at', '2026-02-02', '--root', at('root')];
    return inside(['bundle', 'build', at('src'), ...place, '--out', at(out), ...more]);
  };
  return { at, build };
}

describe('bundle build --attest', () => {
  it('takes YAML and JSON, and the same demands give the same bytes', async () => {
    const yaml = `tool.sh:\n  - type: minisign\n    material: tool.sh.minisig\n    key: ${KEY}\n`;
    const trees = [];
    for (const text of [yaml, { 'tool.sh': [MINI] }]) {
      const { at, build } = workshop(text);
      const ran = await build('out', '--attest', at('attest'));
      expect([ran.code, ran.stderr]).toEqual([0, expect.stringContaining('Next: daemoneye bundle sign')]);
      trees.push(snapshot(at('out')));
    }
    expect(trees[0]).toEqual(trees[1]);
    expect(JSON.stringify(trees[0])).toContain('attestations');
  });

  it.each<[string, string | object, string, number]>([
    ['a signature that is not good', { 'share/a': [MINI] }, 'CONTENT_REFUSED', 1],
    ['a file that is not there', { 'tool.bat': [MINI] }, 'BUILD_INPUT', 1],
    ['a signature that is not there', { 'tool.sh': [{ ...MINI, material: 'x' }] }, 'BUILD_INPUT', 1],
    ['nine signatures of one file', { 'tool.sh': Array(9).fill(MINI) }, 'BUILD_INPUT', 1],
    ['a misspelt field', { 'tool.sh': [{ ...MINI, kay: 'x' }] }, 'USAGE_VALUE', 2],
    ['an unknown method', { 'tool.sh': [{ ...MINI, type: 'pgp' }] }, 'USAGE_VALUE', 2],
    ['no list', { 'tool.sh': MINI }, 'USAGE_VALUE', 2],
    ['an empty list', { 'tool.sh': [] }, 'USAGE_VALUE', 2],
    ['nothing', '', 'USAGE_VALUE', 2],
    ['an alias', 'tool.sh: &a [*a]', 'USAGE_VALUE', 2],
    ['a demand twice', `tool.sh: []\ntool.sh: []\n`, 'USAGE_VALUE', 2],
  ])('with %s builds nothing', async (_, attest, code, exit) => {
    const { at, build } = workshop(attest);
    expectError(await build('out', '--attest', at('attest')), code, exit);
    expect(existsSync(at('out'))).toBe(false);
  });

  it.each([
    ['--attest', ['attest']],
    ['--sbom', []],
    ['--provenance', []],
  ])('%s is for updates', async (option, values) => {
    const { at, build } = workshop({ 'tool.sh': [MINI] });
    const ran = await build('out', '--kind', 'rules', option, ...values.map(at));
    expectError(ran, 'USAGE_OPTION', 2);
  });
});

describe('bundle build --sbom --provenance', () => {
  const readIn = (out: string, name: string): Buffer => {
    const line = readFileSync(join(out, 'index.jsonl'), 'utf8')
      .split('\n')
      .find((one) => one.includes(`"${name}"`));
    return readFileSync(join(out, 'blobs/sha256', String(JSON.parse(line ?? '{}').sha256)));
  };

  it('writes files that other tools read, the same each time', async () => {
    const { at, build } = workshop({});
    for (const out of ['one', 'two']) expect((await build(out, '--sbom', '--provenance')).code).toBe(0);
    expect(snapshot(at('one'))).toEqual(snapshot(at('two')));
    const { format, files } = parseSbom(readIn(at('one'), 'bundle.cdx.json'));
    expect([format, files.map(({ path }) => path)]).toEqual([
      'CycloneDX 1.6',
      ['share/a', 'tool.sh', 'tool.sh.minisig'],
    ]);
    const provenance = JSON.parse(readIn(at('one'), 'bundle.intoto.json').toString());
    expect(provenance).toMatchObject({
      _type: 'https://in-toto.io/Statement/v1',
      predicateType: 'https://slsa.dev/provenance/v1',
      predicate: {
        buildDefinition: {
          buildType: 'urn:daemoneye:bundle-build:v1',
          externalParameters: { kind: 'update', channel: 'update/test', seq: 1, prev: null },
          resolvedDependencies: [{ name: 'source' }, { name: 'root/1.root.dsse.json' }],
        },
        runDetails: { builder: { id: 'urn:daemoneye:builder', version: { daemoneye: '0.1.0' } } },
      },
    });
    const subjects = ['bundle.cdx.json', 'share/a', 'tool.sh', 'tool.sh.minisig'];
    expect(provenance.subject.map(({ name }: { name: string }) => name)).toEqual(subjects);
  });

  it('has no place for them where the source has such a file', async () => {
    const { at, build } = workshop({});
    writeFileSync(at('src/bundle.cdx.json'), '{}');
    expectError(await build('out', '--sbom'), 'BUILD_INPUT', 1);
    expectError(await build('out'), 'CONTENT_REFUSED', 1);
  });
});
