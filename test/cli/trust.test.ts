import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parsePublicKey } from '../../src/core/keys.ts';
import { expectError, inside } from '../support/cli.ts';
import { tempDirectory } from '../support/temp.ts';
import { draftRoot, finishRoot, ok, privateKey, publicKey, told } from '../support/workspace.ts';

const keyidOf = (name: string) => parsePublicKey(readFileSync(publicKey(name), 'utf8')).keyid;

async function workspace(): Promise<string> {
  const directory = join(tempDirectory(), 'root');
  await draftRoot(directory);
  return directory;
}

const signAs = (path: string, name: string) => inside(['trust', 'sign', path, '--key', privateKey(name)]);

type Shown = { readonly version: number; readonly root: { readonly roles: Record<string, { keyids: string[] }> } };

describe('people who sign apart from each other', () => {
  it('sign copies in any order, and finish gathers them', async () => {
    const directory = await workspace();
    const [bobs, carols] = [tempDirectory(), tempDirectory()].map((machine) => join(machine, 'copy.json'));
    await ok('trust', 'sign', directory, '--key', privateKey('alice'));
    for (const copy of [bobs, carols]) cpSync(join(directory, 'draft.root.dsse.json'), copy ?? '');
    expect((await signAs(carols ?? '', 'carol')).code).toBe(0);
    expect((await signAs(bobs ?? '', 'bob')).code).toBe(0);
    await ok('trust', 'finish', directory, bobs ?? '', carols ?? '');
    const finished = readFileSync(join(directory, '1.root.dsse.json'), 'utf8');
    for (const name of ['alice', 'bob', 'carol']) expect(finished).toContain(keyidOf(name));
    expect(readdirSync(directory)).toEqual(['1.root.dsse.json']);
  });

  it('are too few below the threshold, and then nothing is finished', async () => {
    const directory = await workspace();
    expectError(await inside(['trust', 'finish', directory]), 'FILE_NOT_FOUND', 1);
    await signAs(directory, 'alice');
    await signAs(directory, 'alice');
    expectError(await inside(['trust', 'finish', directory]), 'ROOT_SIGNATURES_OWN', 3);
    expect(existsSync(join(directory, '1.root.dsse.json'))).toBe(false);
    expect(existsSync(join(directory, 'draft.root.dsse.json'))).toBe(true);
  });

  it('does not count a stranger, who is told so when he signs', async () => {
    const directory = await workspace();
    const ran = await signAs(directory, 'mallory');
    expect([ran.code, ran.stderr]).toEqual([0, expect.stringContaining('does not hold the role root')]);
    await signAs(directory, 'alice');
    expectError(await inside(['trust', 'finish', directory]), 'ROOT_SIGNATURES_OWN', 3);
  });

  it('can not slip in an earlier draft: the copies were signed before mallory was taken out again', async () => {
    const directory = await workspace();
    await ok('trust', 'add-key', directory, publicKey('mallory'), '--operator', 'mallory');
    await ok('trust', 'set-role', directory, 'root', '--threshold', '1', '--key', 'mallory');
    await ok('trust', 'sign', directory, '--key', privateKey('mallory'));
    const copy = join(tempDirectory(), 'copy.json');
    cpSync(join(directory, 'draft.root.dsse.json'), copy);
    const { stderr } = await ok('trust', 'set-role', directory, 'root', '--threshold', '1', '--key', 'alice');
    expect(stderr).toContain('signatures it had are dropped');
    expect(existsSync(join(directory, 'draft.root.dsse.json'))).toBe(false);
    expectError(await inside(['trust', 'finish', directory, copy]), 'DRAFT_STALE', 1);
    await signAs(directory, 'alice');
    expectError(await inside(['trust', 'finish', directory, copy]), 'DRAFT_STALE', 1);
    await ok('trust', 'finish', directory);
  });

  it('notice a draft that was edited after the first signature', async () => {
    const directory = await workspace();
    await signAs(directory, 'alice');
    const draft = join(directory, 'draft.json');
    writeFileSync(draft, readFileSync(draft, 'utf8').replace('"enclave":"plant-7"', '"enclave":"plant-8"'));
    expectError(await signAs(directory, 'bob'), 'DRAFT_STALE', 1);
    expectError(await inside(['trust', 'finish', directory]), 'DRAFT_STALE', 1);
  });

  it('finish what was cut off after the version was written', async () => {
    const directory = await workspace();
    const before = join(tempDirectory(), 'before');
    for (const name of ['alice', 'bob']) await signAs(directory, name);
    cpSync(directory, before, { recursive: true });
    await ok('trust', 'finish', directory);
    cpSync(before, directory, { recursive: true });
    await ok('trust', 'finish', directory);
    expect(readdirSync(directory)).toEqual(['1.root.dsse.json']);
    expectError(await inside(['trust', 'finish', directory]), 'FILE_NOT_FOUND', 1);
  });
});

describe('the next version', () => {
  it('needs the threshold of the version before, also when all its own holders are new', async () => {
    const directory = await workspace();
    await finishRoot(directory, 'alice', 'bob');
    await ok('trust', 'init', directory, '--expires', '730d');
    for (const name of ['dave', 'mallory']) {
      await ok('trust', 'add-key', directory, publicKey(name), '--operator', name);
    }
    await ok('trust', 'set-role', directory, 'root', '--threshold', '2', '--key', 'dave', '--key', 'mallory');
    for (const name of ['dave', 'mallory', 'alice']) await signAs(directory, name);
    expectError(await inside(['trust', 'finish', directory]), 'ROOT_SIGNATURES_PREVIOUS', 3);
    await signAs(directory, 'bob');
    await ok('trust', 'finish', directory);
    expect((await told<Shown>('trust', 'show', directory)).version).toBe(2);
  });

  it('takes a revoked key out of every role, and a role away from everybody', async () => {
    const directory = await workspace();
    await ok('trust', 'add-key', directory, publicKey('dave'), '--operator', 'dave');
    await ok('trust', 'set-role', directory, 'updates', '--key', 'dave');
    await finishRoot(directory, 'alice', 'bob');
    await ok('trust', 'init', directory, '--expires', '730d');
    await ok('trust', 'revoke', directory, '--key', 'dave', '--key', keyidOf('bob').slice(0, 8));
    // The only one who held it is gone: nobody could ever sign for the role.
    expectError(await signAs(directory, 'alice'), 'THRESHOLD_UNREACHABLE', 3);
    await ok('trust', 'set-role', directory, 'updates', '--nobody');
    await finishRoot(directory, 'alice', 'carol');
    const { stdout } = await ok('trust', 'show', directory);
    expect(stdout).toMatch(/rules +2 of 2: alice, carol\n/);
    expect(stdout).toContain(`${keyidOf('bob')}  bob  REVOKED`);
    expect(stdout).not.toContain('updates');
  });

  it('is not started over one under way, nor in a directory that is a file', async () => {
    const directory = await workspace();
    expectError(await inside(['trust', 'init', directory, '--expires', '1d']), 'FILE_EXISTS', 1);
    expectError(await inside(['trust', 'init', join(directory, 'draft.json'), '--expires', '1d']), 'SYSTEM', 1);
  });

  it('is stale when the chain went on without it', async () => {
    const directory = await workspace();
    const signed = join(tempDirectory(), 'signed');
    for (const name of ['alice', 'bob']) await signAs(directory, name);
    cpSync(directory, signed, { recursive: true });
    rmSync(join(directory, 'draft.root.dsse.json'));
    await ok('trust', 'revoke', directory, '--payload', `sha256:${'0'.repeat(64)}`);
    await finishRoot(directory, 'alice', 'bob');
    cpSync(signed, directory, { recursive: true });
    expectError(await inside(['trust', 'finish', directory]), 'DRAFT_STALE', 1);
  });
});

describe('what nobody should sign is refused when it is typed', () => {
  const clearScreen = '\u001b[2J';

  it.each<[string, (directory: string) => readonly string[]]>([
    ['an operator with a space', (d) => ['add-key', d, publicKey('dave'), '--operator', 'Dave Doe']],
    [
      'an operator that clears the screen',
      (d) => ['add-key', d, publicKey('dave'), '--operator', `dave${clearScreen}`],
    ],
    ['a threshold of 0', (d) => ['set-role', d, 'rules', '--threshold', '0', '--key', 'alice']],
    ['a negative threshold', (d) => ['set-role', d, 'rules', '--threshold=-1', '--key', 'alice']],
    ['a threshold that is no number', (d) => ['set-role', d, 'rules', '--threshold', '2e3', '--key', 'alice']],
    ['an unknown role', (d) => ['set-role', d, 'Rules', '--key', 'alice']],
    ['a channel that leads out', (d) => ['set-role', d, 'rules', '--key', 'alice', '--channel', '../*']],
    ['a key nobody listed', (d) => ['set-role', d, 'rules', '--key', 'dave']],
    ['a file with a key nobody listed', (d) => ['set-role', d, 'rules', '--key', publicKey('dave')]],
    ['a payload digest of another hash', (d) => ['revoke', d, '--payload', `blake3:${'0'.repeat(64)}`]],
    ['a payload that is no digest', (d) => ['revoke', d, '--payload', 'linux-1.bundle']],
    ['an enclave with a space', (d) => ['init', join(d, 'new'), '--expires', '1d', '--enclave', 'Plant 7']],
    ['a validity that ends before it starts', (d) => ['init', join(d, 'new'), '--expires', '2020-01-01']],
    ['a day that does not exist', (d) => ['init', join(d, 'new'), '--expires', '2027-02-30']],
  ])('%s', async (_, args) => {
    const directory = await workspace();
    const draft = readFileSync(join(directory, 'draft.json'), 'utf8');
    const ran = await inside(['trust', ...args(directory)]);
    expectError(ran, 'USAGE_VALUE', 2);
    expect(ran.stderr).not.toContain('\u001b');
    expect(readFileSync(join(directory, 'draft.json'), 'utf8')).toBe(draft);
    expect(existsSync(join(directory, 'new'))).toBe(false);
  });

  it('nobody and somebody, or neither', async () => {
    const directory = await workspace();
    const both = ['trust', 'set-role', directory, 'rules', '--nobody', '--key', 'alice'];
    expectError(await inside(both), 'USAGE_OPTION', 2);
    expectError(await inside(['trust', 'set-role', directory, 'rules']), 'USAGE_OPTION', 2);
  });

  it('the beginning of two keyids', async () => {
    const directory = await workspace();
    const draft = join(directory, 'draft.json');
    const [alice, bob] = [keyidOf('alice'), keyidOf('bob')];
    // A key made to look like alice's: eight digits are a minute's work.
    const twin = alice.slice(0, 8) + bob.slice(8);
    writeFileSync(draft, readFileSync(draft, 'utf8').replaceAll(bob, twin));
    const set = (key: string) => inside(['trust', 'set-role', directory, 'rules', '--key', key]);
    expectError(await set(alice.slice(0, 8)), 'USAGE_VALUE', 2);
    expect((await set(alice)).code).toBe(0);
  });

  it.each([
    ['no JSON', 'SCHEMA', 'JSON_SYNTAX'],
    ['a list', '[1]', 'SCHEMA_MISMATCH'],
    ['an empty object', '{}', 'SCHEMA_MISMATCH'],
    ['a version of text', '{"version":"1"}', 'SCHEMA_MISMATCH'],
  ])('a draft that is %s', async (_, text, code) => {
    const directory = tempDirectory();
    writeFileSync(join(directory, 'draft.json'), text);
    for (const verb of ['add-key', 'sign', 'revoke']) {
      const rest = {
        'add-key': [publicKey('alice')],
        sign: ['--key', privateKey('alice')],
        revoke: ['--key', 'alice'],
      };
      expectError(await inside(['trust', verb, directory, ...(rest[verb as 'sign'] ?? [])]), code, 1);
    }
  });
});

describe('a fingerprint', () => {
  it('is taken as people copy it from paper, and one that is none is a usage error', async () => {
    const directory = await workspace();
    const fingerprint = await finishRoot(directory, 'alice', 'bob');
    const data = join(tempDirectory(), 'data');
    await ok('init', '--data', data);
    const pin = (text: string) =>
      inside(['trust', 'pin', join(directory, '1.root.dsse.json'), '--fingerprint', text, '--data', data]);
    expectError(await pin('plant-7'), 'USAGE_VALUE', 2);
    expectError(await pin(`sha256:${'0'.repeat(64)}`), 'ROOT_FINGERPRINT', 3);
    const digits = fingerprint.replace('sha256:', '').toUpperCase();
    expect((await pin(`SHA256: ${digits.match(/.{8}/g)?.join(' ')}`)).code).toBe(0);
    expectError(await pin(fingerprint), 'ALREADY_PINNED', 5);
  });
});

describe('a folder that happens to be called like an operator', () => {
  it('is not taken for a key file', async () => {
    const directory = await workspace();
    const here = process.cwd();
    const folder = tempDirectory();
    mkdirSync(join(folder, 'alice'));
    try {
      process.chdir(folder);
      await ok('trust', 'set-role', directory, 'rules', '--key', 'alice');
    } finally {
      process.chdir(here);
    }
  });
});
