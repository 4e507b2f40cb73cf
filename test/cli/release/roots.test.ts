import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Report } from '../../../src/core/checks.ts';
import { expectError, inside, jsonOf, type Ran } from '../../support/cli.ts';
import { testKey } from '../../support/keys.ts';
import { leaf, messageBundle, OWN_IDENTITY, OWN_ISSUER, ownRoot, pemOf } from '../../support/sigstore-authority.ts';
import { tempDirectory } from '../../support/temp.ts';
import { draftRoot, finishRoot, ok, privateKey } from '../../support/workspace.ts';
import { certificate, ed25519, packet, signature } from '../../verify/release/openpgp/making.ts';
import { minisign, minisignKey, signify, signifyKey, sshKeyLine, sshSignature } from '../../verify/release/signing.ts';
import { registryKeys, registryMetadata } from './npm-material.ts';
import { DATA, OTHER, OURS } from './place.ts';

const PGP = ed25519('archive');
const signer = leaf();
const keyPem = pemOf('PUBLIC KEY', signer.key.publicKey.export({ format: 'der', type: 'spki' }));
const hex = (content: string | Uint8Array) => createHash('sha256').update(content).digest('hex');

/** A trusted root whose authority ends then. */
function endingRoot(end: string): string {
  const root = JSON.parse(ownRoot().toString()) as { certificateAuthorities: { validFor: { end?: string } }[] };
  for (const { validFor } of root.certificateAuthorities) validFor.end = end;
  return JSON.stringify(root);
}

/** What the publisher pins: one file of each kind, and more. */
const PINS: readonly (readonly [name: string, kind: string, content: string | Uint8Array])[] = [
  ['own-sigstore', 'sigstore', new Uint8Array(ownRoot())],
  ['own-registry', 'npm-keys', registryKeys],
  ['vendor', 'minisign', minisignKey(OURS)],
  ['openbsd', 'signify', signifyKey(OURS)],
  ['developers', 'ssh-signers', `dev@x ${sshKeyLine(OURS)}\n`],
  ['lost', 'ssh-revoked', `${sshKeyLine(OTHER)}\n`],
  ['archive', 'openpgp', certificate(PGP)],
  ['builder', 'key', keyPem],
  // What the tests run in has a file of this name, and its content is pinned under another name too.
  ['package.json', 'minisign', minisignKey(OURS)],
  // The floor of the enclave is the root's issue, 2027-01-31.
  ['past', 'sigstore', endingRoot('2027-01-30T00:00:00Z')],
  ['soon', 'sigstore', endingRoot('2027-03-01T00:00:00Z')],
];

type Pin = { readonly name: string; readonly file: string; readonly since?: number; readonly standing?: string };
type Listed = { readonly version: number | null; readonly pins: readonly Pin[] };
type Updated = {
  readonly changes: readonly { name: string; version: number; before?: object; after?: object }[];
  readonly wanting: readonly { name: string; file: string; standing?: string }[];
};

/** A publisher's workspace and an enclave that follows it. Each test works on its own copy of neither: it makes one. */
function world(home = tempDirectory()) {
  const at = (name: string) => join(home, name);
  const write = (name: string, content: string | Uint8Array) => {
    writeFileSync(at(name), content);
    return at(name);
  };
  const root = at('root');
  const data = at('data');
  const add = (name: string, content: string | Uint8Array, kind: string) =>
    inside(['release', 'roots', 'add', root, name, write(`${name}.file`, content), '--kind', kind]);
  const next = () => ok('trust', 'init', root, '--expires', '365d');
  /** Finishes the draft, and brings it to the enclave in a bundle of kind trust, or of another. */
  const carry = async (name: string, after?: string) => {
    await finishRoot(root, 'alice', 'bob');
    const place = after === undefined ? ['--channel', 'trust/site'] : ['--after', at(after)];
    await ok('bundle', 'build', root, '--kind', 'trust', ...place, '--root', root, '--out', at(name));
    for (const who of ['alice', 'bob']) await ok('bundle', 'sign', at(name), '--key', privateKey(who));
    return inside(['bundle', 'apply', at(name), '--yes', '--data', data, '--json']);
  };
  const list = async () =>
    jsonOf<Listed>(await inside(['release', 'roots', 'list', '--data', data, '--json']), 'release-roots-list');
  const update = async () =>
    jsonOf<Updated>(await inside(['release', 'roots', 'update', '--data', data, '--json']), 'release-roots-update');
  const verify = (...args: readonly string[]) =>
    inside(['release', 'verify', at('tool.tar'), ...args, '--data', data, '--json']);
  const stored = (content: string | Uint8Array) => join(data, 'trust/releases', hex(content));
  write('tool.tar', DATA);
  return { home, at, write, root, data, add, next, carry, list, update, verify, stored };
}

async function enclave(home?: string) {
  const here = world(home);
  await draftRoot(here.root);
  const fingerprint = await finishRoot(here.root, 'alice', 'bob');
  await ok('init', '--data', here.data);
  await ok('trust', 'pin', join(here.root, '1.root.dsse.json'), '--fingerprint', fingerprint, '--data', here.data);
  return here;
}

const trusted = (ran: Ran) => {
  const report = jsonOf<Report>(ran, 'report');
  expect([report.verdict, ran.code]).toEqual(['trusted', 0]);
  return report;
};

describe('an enclave that was brought pinned files', () => {
  let here: Awaited<ReturnType<typeof enclave>>;
  beforeAll(async () => {
    here = await enclave(mkdtempSync(join(tmpdir(), 'daemoneye-test-')));
    await here.next();
    for (const [name, kind, content] of PINS) expect((await here.add(name, content, kind)).stderr).toBe('');
    const applied = await here.carry('one.bundle');
    expect(applied.code).toBe(0);
    // Whoever applies it sees what will be believed.
    for (const [name, kind, content] of PINS) {
      expect(applied.stdout).toContain(`release ${name}`);
      expect(applied.stdout).toContain(`${kind} sha256:${hex(content)}`);
    }
    here.write('tool.json', JSON.stringify(messageBundle(signer, DATA)));
    here.write('keyed.json', JSON.stringify(messageBundle(signer, DATA, { plainKey: true })));
    here.write('tool.minisig', minisign(OURS, DATA));
    here.write('tool.signify', signify(OURS, DATA));
    here.write('tool.ssh', sshSignature(OURS, DATA));
    here.write('tool.pgp', packet(2, signature(PGP, DATA)));
    here.write('metadata.json', registryMetadata());
  });

  afterAll(() => rmSync(here.home, { recursive: true, force: true }));

  it('takes each by its name, and says by which trust root', async () => {
    const who = ['--identity', OWN_IDENTITY, '--issuer', OWN_ISSUER];
    const npm = ['--npm', '@org/tool@1.2.3', '--npm-signatures', here.at('metadata.json')];
    const root = ['--trusted-root', 'own-sigstore'];
    const ways: [string[], string[]][] = [
      [['--bundle', here.at('tool.json'), ...root, ...who], ['own-sigstore']],
      [
        ['--bundle', here.at('keyed.json'), ...root, '--key', 'builder'],
        ['builder', 'own-sigstore'],
      ],
      [['--signature', here.at('tool.minisig'), '--minisign', 'vendor'], ['vendor']],
      [['--signature', here.at('tool.signify'), '--signify', 'openbsd'], ['openbsd']],
      [['--signature', here.at('tool.ssh'), '--ssh-signers', 'developers'], ['developers']],
      [
        ['--signature', here.at('tool.ssh'), '--ssh-signers', 'developers', '--ssh-revoked', 'lost'],
        ['developers', 'lost'],
      ],
      [['--signature', here.at('tool.pgp'), '--openpgp', 'archive'], ['archive']],
      [[...npm, '--npm-keys', 'own-registry'], ['own-registry']],
    ];
    for (const [args, names] of ways) {
      const { subject } = trusted(await here.verify(...args));
      for (const name of names)
        expect(subject.detail?.['pinned']).toMatch(new RegExp(`\\b${name} \\(.*by trust root 2`));
    }
  });

  it('lists them with where they stand, and what ships beside them', async () => {
    const { version, pins } = await here.list();
    expect(version).toBe(2);
    expect(pins.map(({ name, file, since }) => [name, file, since])).toEqual([
      ...PINS.map(([name]) => [name, 'here', 2]).sort(),
      ['public-good', 'ships', undefined],
      ['(npm)', 'ships', undefined],
    ]);
    const { stdout, code } = await inside(['release', 'roots', 'list', '--data', here.data]);
    expect(code).toBe(0);
    expect(stdout).toContain('public-good root of 2026-11-05');
    expect(stdout).toMatch(/^ {4}transparency log https:\/\/log\.example\.com {2}\S+ to no end$/m);
  });

  it('tells what ends, against the floor and never the clock', async () => {
    const { pins } = await here.list();
    const standing = (name: string) => pins.find((pin) => pin.name === name)?.standing;
    expect(['past', 'soon', 'own-sigstore', 'vendor'].map(standing)).toEqual([
      'ended',
      'ends-soon',
      'counts',
      undefined,
    ]);
    expect((await here.update()).wanting.map(({ name, standing: at }) => [name, at])).toEqual([
      ['past', 'ended'],
      ['soon', 'ends-soon'],
    ]);
    const { stdout } = await ok('release', 'roots', 'list', '--data', here.data);
    expect(stdout).toMatch(/counts until 2027-01-30T00:00:00.000Z {2}ENDED/);
  });

  it('asks what a name means that is a file too', async () => {
    expect(existsSync('package.json')).toBe(true);
    const ask = (value: string) => here.verify('--signature', here.at('tool.minisig'), '--minisign', value);
    const ran = await ask('package.json');
    expect([ran.code, JSON.parse(ran.stdout)]).toMatchObject([2, { error: { code: 'USAGE_VALUE' } }]);
    expect(ran.stdout).toContain('./package.json for the file');
    // Said as a path it is the file, which is no key.
    expect(JSON.parse((await ask('./package.json')).stdout)).toMatchObject({
      error: { code: 'MINISIGN_KEY_MALFORMED' },
    });
  });

  it.each(PINS.flatMap(([name, kind]) => (kind === 'minisign' ? [] : [[name, kind]])))(
    'does not take %s, pinned as %s, for a minisign key',
    async (name, kind) => {
      const ran = await here.verify('--signature', here.at('tool.minisig'), '--minisign', name ?? '');
      expect([ran.code, JSON.parse(ran.stdout)]).toMatchObject([2, { error: { code: 'USAGE_VALUE' } }]);
      expect(ran.stdout).toContain(`pinned as ${kind}`);
    },
  );

  it('refuses with the pinned key what another signed', async () => {
    const other = here.write('other.minisig', minisign(OTHER, DATA));
    const ran = await here.verify('--signature', other, '--minisign', 'vendor');
    expect(ran.code).toBe(3);
    expect(jsonOf<Report>(ran, 'report').subject.detail?.['pinned']).toContain('vendor (minisign');
  });

  it.each(['constructor', 'toString', 'hasOwnProperty', '__proto__', 'vendo', 'vendor ', '../vendor', 'VENDOR'])(
    'knows no pin %j',
    async (name) => {
      const ran = await here.verify('--signature', here.at('tool.minisig'), '--minisign', name);
      expect([ran.code, JSON.parse(ran.stdout)]).toMatchObject([1, { error: { code: 'FILE_NOT_FOUND' } }]);
    },
  );

  it('does not believe what its own expired root pins', async () => {
    const ran = await here.verify(
      '--signature',
      here.at('tool.minisig'),
      '--minisign',
      'vendor',
      '--floor',
      '2099-01-01',
    );
    expect([ran.code, JSON.parse(ran.stdout)]).toMatchObject([3, { error: { code: 'ROOT_EXPIRED' } }]);
  });

  it.each<[string, (file: string) => void, string, number, string]>([
    ['swapped for another key', (file) => writeFileSync(file, minisignKey(OTHER)), 'STATE_TAMPERED', 3, 'changed'],
    ['taken away', (file) => rmSync(file), 'PIN_MISSING', 1, 'missing'],
  ])(
    'refuses a file that was %s, lists it so, and gets it back with its bundle',
    async (_, change, code, exit, state) => {
      change(here.stored(minisignKey(OURS)));
      const other = here.write('other.minisig', minisign(OTHER, DATA));
      const ran = await here.verify('--signature', other, '--minisign', 'vendor');
      expect([ran.code, JSON.parse(ran.stdout)]).toMatchObject([exit, { error: { code } }]);
      expect((await here.list()).pins.find(({ name }) => name === 'vendor')?.file).toBe(state);
      expect((await inside(['release', 'roots', 'list', '--data', here.data])).code).toBe(state === 'changed' ? 4 : 0);
      expect((await here.update()).wanting).toContainEqual(expect.objectContaining({ name: 'vendor', file: state }));
      await ok('bundle', 'apply', here.at('one.bundle'), '--yes', '--data', here.data);
      trusted(await here.verify('--signature', here.at('tool.minisig'), '--minisign', 'vendor'));
    },
  );
});

describe('a newer root', () => {
  it('rotates, drops and adds pins, and each is told: when signed, when applied, afterwards', async () => {
    const here = await enclave();
    await here.next();
    await here.add('vendor', minisignKey(OURS), 'minisign');
    await here.add('gone', signifyKey(OURS), 'signify');
    await here.carry('one.bundle');

    await here.next();
    const swapped = await here.add('vendor', minisignKey(OTHER), 'minisign');
    expect(swapped.stdout).toContain(`from minisign sha256:${hex(minisignKey(OURS))} to`);
    await ok('release', 'roots', 'remove', here.root, 'gone');
    const { stderr } = await ok('trust', 'sign', here.root, '--key', privateKey('alice'));
    expect(stderr).toContain('Pins: vendor is pinned to another file: from minisign');
    expect(stderr).toContain('Pins: gone is pinned no longer');
    const applied = await here.carry('two.bundle', 'one.bundle');
    expect(applied.stdout).toContain('release gone');
    expect(applied.stdout).toContain(hex(minisignKey(OTHER)));
    expect(readdirSync(join(here.root, 'releases'))).toEqual([hex(minisignKey(OTHER))]);

    const { changes, wanting } = await here.update();
    expect(wanting).toEqual([]);
    const pin = (content: string, kind: string) => ({ kind, sha256: hex(content) });
    expect(changes).toEqual([
      { version: 2, name: 'gone', after: pin(signifyKey(OURS), 'signify') },
      { version: 2, name: 'vendor', after: pin(minisignKey(OURS), 'minisign') },
      { version: 3, name: 'gone', before: pin(signifyKey(OURS), 'signify') },
      {
        version: 3,
        name: 'vendor',
        before: pin(minisignKey(OURS), 'minisign'),
        after: pin(minisignKey(OTHER), 'minisign'),
      },
    ]);
    const { stdout } = await ok('release', 'roots', 'update', '--data', here.data);
    expect(stdout).toContain(
      `version 3: vendor is pinned to another file: from minisign sha256:${hex(minisignKey(OURS))}`,
    );
    expect((await here.list()).pins[0]).toMatchObject({ name: 'vendor', since: 3, file: 'here' });

    // The old key is no longer believed, and its file is gone; the dropped name means nothing.
    const old = await here.verify('--signature', here.write('a.minisig', minisign(OURS, DATA)), '--minisign', 'vendor');
    expect(old.code).toBe(3);
    expect(existsSync(here.stored(minisignKey(OURS)))).toBe(false);
    const dropped = await here.verify('--signature', here.write('a.sig', signify(OURS, DATA)), '--signify', 'gone');
    expect(dropped.code).toBe(1);
  });

  it('that came without its files counts at once: the old file is not used', async () => {
    const here = await enclave();
    await here.next();
    await here.add('vendor', minisignKey(OURS), 'minisign');
    await here.carry('one.bundle');
    await here.next();
    await here.add('vendor', minisignKey(OTHER), 'minisign');
    rmSync(join(here.root, 'releases'), { recursive: true });
    const applied = await here.carry('two.bundle', 'one.bundle');
    expect([applied.code, applied.stdout]).toEqual([0, expect.stringContaining('pinned, but not in it: vendor')]);
    for (const key of [OURS, OTHER]) {
      const signature = here.write('a.minisig', minisign(key, DATA));
      const ran = await here.verify('--signature', signature, '--minisign', 'vendor');
      expect([ran.code, JSON.parse(ran.stdout)]).toMatchObject([1, { error: { code: 'PIN_MISSING' } }]);
    }
    expect((await here.update()).wanting).toMatchObject([{ name: 'vendor', file: 'missing' }]);
  });
});

describe('a vendor’s file whose signature is judged under a pinned root', () => {
  it('is built, verified and applied by that root, and by what the name means then', async () => {
    const here = await enclave();
    await here.next();
    await here.add('own-sigstore', new Uint8Array(ownRoot()), 'sigstore');
    await here.add('vendor', minisignKey(OURS), 'minisign');
    const holders = ['alice', 'bob'].flatMap((name) => ['--key', name]);
    await ok('trust', 'set-role', here.root, 'updates', '--threshold', '2', ...holders);
    await finishRoot(here.root, 'alice', 'bob');
    mkdirSync(here.at('src'));
    here.write('src/tool.tar', DATA);
    here.write('src/tool.json', JSON.stringify(messageBundle(signer, DATA)));
    const build = async (out: string, pin: string) => {
      const demand = { type: 'sigstore', material: 'tool.json', identity: OWN_IDENTITY, issuer: OWN_ISSUER };
      const attest = here.write('attest', JSON.stringify({ 'tool.tar': [{ ...demand, trustedRoot: `pin:${pin}` }] }));
      const place = ['--kind', 'update', '--channel', 'update/vendor', '--root', here.root];
      return inside(['bundle', 'build', here.at('src'), ...place, '--attest', attest, '--out', here.at(out)]);
    };
    for (const pin of ['nobody', 'vendor']) {
      const ran = await build('refused.bundle', pin);
      expectError(ran, 'CONTENT_REFUSED', 1);
      expect(ran.stderr).toContain(`pins no sigstore root as "${pin}"`);
    }
    expect((await build('tool.bundle', 'own-sigstore')).stderr).toContain('Next: daemoneye bundle sign');
    for (const who of ['alice', 'bob']) await ok('bundle', 'sign', here.at('tool.bundle'), '--key', privateKey(who));
    const verify = async (...args: readonly string[]) => {
      const ran = await inside(['bundle', 'verify', here.at('tool.bundle'), ...args, '--json']);
      const { checks } = jsonOf<Report>(ran, 'report');
      const { status, code, reason } = checks.find(({ name }) => name === 'attestations') ?? {};
      return [status === 'pass' ? 'pass' : code, reason];
    };
    expect(await verify('--trust', here.root)).toEqual([
      'pass',
      expect.stringContaining('certificates by own-sigstore, pinned in trust root 2, sha256:'),
    ]);
    // A root by itself says which file it means, and does not have it.
    expect((await verify('--trust', join(here.root, '2.root.dsse.json')))[0]).toBe('PIN_MISSING');
    // The newer root came with this bundle, its files did not.
    const early = await inside(['bundle', 'apply', here.at('tool.bundle'), '--yes', '--data', here.data]);
    expect([early.code, early.stdout]).toEqual([3, expect.stringContaining('PIN_MISSING')]);
    const publish = [
      '--kind',
      'trust',
      '--channel',
      'trust/site',
      '--root',
      here.root,
      '--out',
      here.at('trust.bundle'),
    ];
    await ok('bundle', 'build', here.root, ...publish);
    for (const who of ['alice', 'bob']) await ok('bundle', 'sign', here.at('trust.bundle'), '--key', privateKey(who));
    await ok('bundle', 'apply', here.at('trust.bundle'), '--yes', '--data', here.data);
    expect((await verify('--data', here.data))[0]).toBe('pass');
    // Swapped on the disk, it is no fault of the bundle's.
    writeFileSync(here.stored(new Uint8Array(ownRoot())), endingRoot('2099-01-01T00:00:00Z'));
    const swapped = await inside(['bundle', 'apply', here.at('tool.bundle'), '--yes', '--data', here.data]);
    expectError(swapped, 'STATE_TAMPERED', 4);
    await ok('bundle', 'apply', here.at('trust.bundle'), '--yes', '--data', here.data);
    await ok('bundle', 'apply', here.at('tool.bundle'), '--yes', '--data', here.data);
  });
});

describe('release roots add', () => {
  it.each<[string, string, string, string | Uint8Array]>([
    ['a kind nobody knows', 'vendor', 'gpg', minisignKey(OURS)],
    ['a file of another kind', 'vendor', 'sigstore', minisignKey(OURS)],
    ['a private key', 'vendor', 'key', testKey('release').publicKey.pem.replaceAll('PUBLIC', 'PRIVATE')],
    ['an empty file', 'vendor', 'minisign', ''],
    ['the name of the root that ships', 'public-good', 'sigstore', new Uint8Array(ownRoot())],
    ['a path for a name', '../vendor', 'minisign', minisignKey(OURS)],
    ['a name in capitals', 'Vendor', 'minisign', minisignKey(OURS)],
    ['a name that acts on the terminal', 'v\u001b[2Jx', 'minisign', minisignKey(OURS)],
  ])('refuses %s, and changes nothing', async (_, name, kind, content) => {
    const here = world();
    await draftRoot(here.root);
    const file = here.write('file', content);
    const ran = await inside(['release', 'roots', 'add', here.root, name, file, '--kind', kind]);
    expectError(ran, 'USAGE_VALUE', 2);
    expect(ran.stderr).not.toContain('\u001b');
    expect(readdirSync(here.root)).toEqual(['draft.json']);
  });

  it('drops signatures that were given already, and leaves no file that nothing names', async () => {
    const here = world();
    await draftRoot(here.root);
    await here.add('vendor', minisignKey(OURS), 'minisign');
    await ok('trust', 'sign', here.root, '--key', privateKey('alice'));
    const { stderr } = await here.add('vendor', minisignKey(OTHER), 'minisign');
    expect(stderr).toContain('signatures');
    expect(readdirSync(here.root).sort()).toEqual(['draft.json', 'releases']);
    expect(readdirSync(join(here.root, 'releases'))).toEqual([hex(minisignKey(OTHER))]);
    expectError(await inside(['release', 'roots', 'remove', here.root, 'other']), 'USAGE_VALUE', 2);
  });
});

it('release roots list tells what ships where there is no data directory', async () => {
  const ran = await inside(['release', 'roots', 'list', '--data', join(tempDirectory(), 'none'), '--json']);
  expect(jsonOf<Listed>(ran, 'release-roots-list')).toMatchObject({
    version: null,
    pins: [{ file: 'ships' }, { file: 'ships' }],
  });
});
