import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { signCheckpoint } from '../../src/core/checkpoint.ts';
import { formatDigest } from '../../src/core/digest.ts';
import { encodeEnvelope } from '../../src/core/dsse.ts';
import { parsePublicKey } from '../../src/core/keys.ts';
import { sealEnrolment } from '../../src/verify/enrolment-document.ts';
import { expectError, inside, jsonOf } from '../support/cli.ts';
import { testKey } from '../support/keys.ts';
import { tempDirectory } from '../support/temp.ts';
import { day } from '../support/trust.ts';
import { draftRoot, finishRoot, ok, privateKey, publicKey, told } from '../support/workspace.ts';

const DOCUMENT = `sha256:${'d'.repeat(64)}`;
const signAs = (path: string, name: string, ...more: readonly string[]) =>
  inside(['trust', 'sign', path, '--key', privateKey(name), ...more]);

/** Version 2 finished, which revokes carol's key and a document; the draft of version 3 under way. */
async function afterRevocation(): Promise<string> {
  const root = join(tempDirectory(), 'root');
  await draftRoot(root);
  await finishRoot(root, 'alice', 'bob');
  await ok('trust', 'init', root, '--expires', '730d');
  await ok('trust', 'revoke', root, '--key', 'carol', '--payload', DOCUMENT);
  await finishRoot(root, 'alice', 'bob');
  await ok('trust', 'init', root, '--expires', '800d');
  return root;
}

/** As an editor does it: no command takes a revocation back. */
function edit(root: string, change: (revoked: { keys: unknown[]; payloads: unknown[] }) => void): void {
  const path = join(root, 'draft.json');
  const draft = JSON.parse(readFileSync(path, 'utf8')) as { revoked: { keys: unknown[]; payloads: unknown[] } };
  change(draft.revoked);
  writeFileSync(path, JSON.stringify(draft));
}

describe('a draft that takes a revocation back', () => {
  it('is neither signed nor finished unless that is said to be meant, and then it is said again', async () => {
    const root = await afterRevocation();
    edit(root, (revoked) => {
      revoked.keys = [];
    });
    const refused = await signAs(root, 'alice');
    expectError(refused, 'REVOCATION_DROPPED', 5);
    expect(refused.stderr).toContain('version 3 takes back what version 2 revoked: 1 key');
    expect(existsSync(join(root, 'draft.root.dsse.json'))).toBe(false);
    expectError(await inside(['trust', 'sign', root, '--print-pae']), 'REVOCATION_DROPPED', 5);

    for (const name of ['alice', 'bob']) {
      const signed = await signAs(root, name, '--drop-revocations');
      expect([signed.code, signed.stderr]).toEqual([0, expect.stringContaining('Careful: version 3 takes back')]);
    }
    expectError(await inside(['trust', 'finish', root]), 'REVOCATION_DROPPED', 5);
    expect(existsSync(join(root, '3.root.dsse.json'))).toBe(false);
    const finished = await inside(['trust', 'finish', root, '--drop-revocations', '--json']);
    expect(jsonOf<{ dropped: object }>(finished, 'trust-finish').dropped).toMatchObject({ payloads: [], spared: [] });
    expect(finished.stderr).toContain('Careful');
  });

  it.each<[string, (revoked: { keys: unknown[]; payloads: unknown[] }) => void, string]>([
    [
      'a document',
      (revoked) => {
        revoked.payloads = [];
      },
      '1 document (dddddddd…)',
    ],
    [
      'a key, for a head of a log',
      (revoked) => {
        const head = { origin: 'o', size: 1, root: DOCUMENT };
        revoked.keys = revoked.keys.map((key) => ({ ...(key as object), validThrough: [head] }));
      },
      'more log heads of the revoked 1 key',
    ],
  ])('of %s is one too', async (_what, change, said) => {
    const root = await afterRevocation();
    edit(root, change);
    const refused = await signAs(root, 'alice');
    expectError(refused, 'REVOCATION_DROPPED', 5);
    expect(refused.stderr).toContain(said);
  });

  it('is found on another machine when the version before is named or lies beside the copy', async () => {
    const root = await afterRevocation();
    edit(root, (revoked) => {
      revoked.payloads = [];
    });
    await ok('trust', 'sign', root, '--key', privateKey('alice'), '--drop-revocations');
    const elsewhere = tempDirectory();
    const copy = join(elsewhere, 'copy.json');
    cpSync(join(root, 'draft.root.dsse.json'), copy);
    const before = readFileSync(copy);
    const previous = join(root, '2.root.dsse.json');
    expectError(await signAs(copy, 'bob', '--previous', previous), 'REVOCATION_DROPPED', 5);
    expectError(await signAs(copy, 'bob', '--previous', root), 'REVOCATION_DROPPED', 5);
    expectError(await signAs(copy, 'bob', '--previous', join(root, '1.root.dsse.json')), 'DRAFT_STALE', 1);
    expect(readFileSync(copy)).toEqual(before);
    const unseen = await signAs(copy, 'bob');
    expect([unseen.code, unseen.stderr]).toEqual([0, expect.stringContaining('Not compared with version 2')]);
    cpSync(previous, join(elsewhere, '2.root.dsse.json'));
    expectError(await signAs(copy, 'carol'), 'REVOCATION_DROPPED', 5);
    // Whoever gathers the copies sees it in any case.
    expectError(await inside(['trust', 'finish', root, copy]), 'REVOCATION_DROPPED', 5);
  });

  it('is none when it keeps them, and then nothing is said', async () => {
    const root = await afterRevocation();
    await ok('trust', 'revoke', root, '--payload', `sha256:${'e'.repeat(64)}`);
    const signed = await signAs(root, 'alice');
    const { fingerprint } = await told<{ fingerprint: string }>('trust', 'show', root);
    expect([signed.code, signed.stderr]).toEqual([0, `Compared with version 2, fingerprint ${fingerprint}.\n`]);
  });
});

describe('a revoked key', () => {
  it('is neither listed again nor given a role, by any name', async () => {
    const root = await afterRevocation();
    const draft = readFileSync(join(root, 'draft.json'));
    const lost = publicKey('carol');
    expectError(await inside(['trust', 'add-key', root, lost, '--operator', 'carol']), 'USAGE_VALUE', 2);
    const { keyid } = parsePublicKey(readFileSync(lost, 'utf8'));
    for (const key of ['carol', lost, keyid, keyid.slice(0, 8)]) {
      expectError(await inside(['trust', 'set-role', root, 'rules', '--key', key]), 'USAGE_VALUE', 2);
    }
    expect(readFileSync(join(root, 'draft.json'))).toEqual(draft);
  });

  it("is left out when its operator's keys are named, of whom there is a new one", async () => {
    const root = await afterRevocation();
    await ok('trust', 'add-key', root, publicKey('dave'), '--operator', 'carol');
    const { keyids } = await told<{ keyids: string[] }>('trust', 'set-role', root, 'rules', '--key', 'carol');
    expect(keyids).toEqual([parsePublicKey(readFileSync(publicKey('dave'), 'utf8')).keyid]);
  });
});

describe('a lost log key', () => {
  const key = testKey('log');
  const { keyid, pem } = key.publicKey;
  const origin = 'daemoneye.invalid/host-1/procmond';
  const root = new Uint8Array(32).fill(7);
  const checkpoint = (size: number, of = 'log', hash: 'blake3' | 'sha256' = 'blake3') =>
    signCheckpoint({ origin, size, root }, testKey(of), hash);

  async function draft(): Promise<{ directory: string; file: (name: string, bytes: Uint8Array | string) => string }> {
    const folder = tempDirectory();
    const directory = join(folder, 'root');
    await draftRoot(directory);
    const file = (name: string, bytes: Uint8Array | string) => {
      writeFileSync(join(folder, name), bytes);
      return join(folder, name);
    };
    return { directory, file };
  }

  const enrolment = encodeEnvelope(
    sealEnrolment({
      v: 1,
      host: 'host-1',
      logs: [{ origin, genesis: `sha256:${'a'.repeat(64)}`, hash: 'blake3', keyid, pem }],
      issuedAt: day(0),
    }),
  );

  it('is revoked by its enrolment, and still counts for the checkpoints that were seen', async () => {
    const { directory, file } = await draft();
    const ran = await inside([
      ...['trust', 'revoke', directory, '--json', '--key', file('enrolment.json', enrolment)],
      ...['--valid-through', file('one', checkpoint(7)), '--valid-through', file('two', checkpoint(9))],
    ]);
    const head = (size: number) => ({ origin, size, root: formatDigest('blake3', root) });
    expect(jsonOf(ran, 'trust-revoke')).toEqual({
      revoked: { keys: [{ keyid, validThrough: [head(7), head(9)] }], payloads: [] },
    });
    expect(ran.stderr).toContain('Not listed in the draft: 1 key');
    // Again, by its file, with another one: they add up, and none is listed twice.
    const more = [
      '--valid-through',
      file('two', checkpoint(9)),
      '--valid-through',
      file('s', checkpoint(9, 'log', 'sha256')),
    ];
    await ok('trust', 'revoke', directory, '--key', file('log.pub.pem', pem), ...more);
    await finishRoot(directory, 'alice', 'bob');
    const shown = await told<{ root: { revoked: { keys: { validThrough: object[] }[] } } }>('trust', 'show', directory);
    expect(shown.root.revoked.keys[0]?.validThrough).toEqual([
      head(7),
      head(9),
      { ...head(9), root: formatDigest('sha256', root) },
    ]);
    expect((await ok('trust', 'show', directory)).stdout).toContain(
      `revoked keys\n  ${keyid}\n    still counts for ${origin} at 7 lines, ${formatDigest('blake3', root)}\n`,
    );
  });

  it('is revoked by its whole keyid, which no checkpoint can be held against', async () => {
    const { directory, file } = await draft();
    expectError(await inside(['trust', 'revoke', directory, '--key', keyid.slice(0, 63)]), 'USAGE_VALUE', 2);
    const seen = ['--valid-through', file('seen', checkpoint(7))];
    expectError(await inside(['trust', 'revoke', directory, '--key', keyid, ...seen]), 'NOTE_SIGNATURE', 3);
    await ok('trust', 'revoke', directory, '--key', keyid);
  });

  it('is spared no checkpoint by another key, nor one that was changed', async () => {
    const { directory, file } = await draft();
    const before = readFileSync(join(directory, 'draft.json'));
    const revoke = (note: Uint8Array | string) =>
      inside([
        ...['trust', 'revoke', directory, '--key', file('log.pub.pem', pem), '--valid-through', file('note', note)],
      ]);
    const text = Buffer.from(checkpoint(7)).toString();
    expectError(await revoke(checkpoint(7, 'another')), 'NOTE_SIGNATURE', 3);
    expectError(await revoke(text.replace('\n7\n', '\n8\n')), 'NOTE_SIGNATURE', 3);
    expectError(await revoke('hello'), 'NOTE_MALFORMED', 3);
    expectError(await inside(['trust', 'revoke', directory, '--valid-through', file('x', text)]), 'USAGE_OPTION', 2);
    expect(readFileSync(join(directory, 'draft.json'))).toEqual(before);
  });

  it('that was revoked before is not spared anything later, unless that is meant', async () => {
    const { directory, file } = await draft();
    await ok('trust', 'revoke', directory, '--key', keyid);
    await finishRoot(directory, 'alice', 'bob');
    await ok('trust', 'init', directory, '--expires', '730d');
    const seen = ['--valid-through', file('seen', checkpoint(7))];
    await ok('trust', 'revoke', directory, '--key', file('log.pub.pem', pem), ...seen);
    expectError(await signAs(directory, 'alice'), 'REVOCATION_DROPPED', 5);
    expect((await signAs(directory, 'alice', '--drop-revocations')).code).toBe(0);
  });
});

describe('who can open sealed values', () => {
  const [one, two] = [
    'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p',
    'age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg',
  ];

  it('is named in the draft, shown, replaced, and taken out again', async () => {
    const directory = join(tempDirectory(), 'root');
    await draftRoot(directory);
    const set = (...args: string[]) => inside(['trust', 'set-recipients', directory, ...args, '--json']);
    const both = ['--reveal', one ?? '', '--reveal', two ?? '', '--reveal', one ?? ''];
    expect(jsonOf(await set(...both), 'trust-set-recipients')).toEqual({ reveal: [one, two] });
    expect(jsonOf(await set('--nobody'), 'trust-set-recipients')).toEqual({ reveal: [] });
    expect(readFileSync(join(directory, 'draft.json'), 'utf8')).not.toContain('recipients');
    await set('--reveal', two ?? '');
    await finishRoot(directory, 'alice', 'bob');
    const { stdout } = await ok('trust', 'show', directory);
    expect(stdout).toContain(`can open sealed values\n  ${two}\n`);
    expect(stdout).not.toContain(one);
  });

  it.each([
    ['a slip of the pen', `${one?.slice(0, -1)}q`],
    ['capitals', one?.toUpperCase() ?? ''],
    ['an SSH key', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN'],
    ['a private key', 'AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX'],
  ])('is not named by %s, which is not shown again either', async (_what, text) => {
    const directory = join(tempDirectory(), 'root');
    await draftRoot(directory);
    const ran = await inside(['trust', 'set-recipients', directory, '--reveal', text]);
    expectError(ran, 'USAGE_VALUE', 2);
    expect(ran.stderr).not.toContain(text);
  });

  it('is not signed for when the draft was edited to one who cannot', async () => {
    const directory = join(tempDirectory(), 'root');
    await draftRoot(directory);
    await ok('trust', 'set-recipients', directory, '--reveal', one ?? '');
    const path = join(directory, 'draft.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace('aqmcac8p', 'aqmcac8q'));
    expectError(await signAs(directory, 'alice'), 'ROOT_RECIPIENT', 3);
  });

  it('is somebody or nobody', async () => {
    const directory = join(tempDirectory(), 'root');
    await draftRoot(directory);
    expectError(await inside(['trust', 'set-recipients', directory]), 'USAGE_OPTION', 2);
    const both = ['trust', 'set-recipients', directory, '--nobody', '--reveal', one ?? ''];
    expectError(await inside(both), 'USAGE_OPTION', 2);
  });
});
