import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { BUNDLE_PAYLOAD_TYPE, ROOT_PAYLOAD_TYPE } from '../../src/bundle/format.ts';
import { encodeBase64, utf8 } from '../../src/core/bytes.ts';
import type { Digest } from '../../src/core/digest.ts';
import {
  type Envelope,
  encodeEnvelope,
  parseEnvelope,
  payloadDigest,
  preAuthEncoding,
  signingKeys,
} from '../../src/core/dsse.ts';
import { parsePrivateKey, parsePublicKey, signWithKey } from '../../src/core/keys.ts';
import { DOWNGRADE } from '../../src/verify/downgrade.ts';
import { sealEnrolment } from '../../src/verify/enrolment-document.ts';
import { FLOOR_RESET } from '../../src/verify/floor-reset.ts';
import { HEADS } from '../../src/verify/heads.ts';
import { type DocumentFormat, sealDocument } from '../../src/verify/signed-document.ts';
import { expectError, hasTool, inside, jsonOf, type Ran } from '../support/cli.ts';
import { tempDirectory } from '../support/temp.ts';
import { draftRoot, finishRoot, ok, privateKey, publicKey, publish } from '../support/workspace.ts';

const hasOpenssl = hasTool('openssl');
const keyOf = (name: string) => parsePublicKey(readFileSync(publicKey(name), 'utf8'));
const secretOf = (name: string) => parsePrivateKey(readFileSync(privateKey(name), 'utf8'));

/** Whatever signs with a key it never shows: here the one of a file. */
function cardOf(name: string, toSign: Uint8Array): Uint8Array {
  return signWithKey(secretOf(name), toSign);
}

/** Every command that signs, on a document of its own. */
type Subject = {
  readonly command: readonly string[];
  readonly payloadType: string;
  /** The document to sign, and the file that holds its envelope. */
  readonly make: () => Promise<{ readonly path: string; readonly file: string }>;
};

let samples: { readonly root: string; readonly draft: string; readonly bundle: string };
beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'daemoneye-test-'));
  const root = join(folder, 'root');
  await draftRoot(root);
  const draft = join(folder, 'draft');
  cpSync(root, draft, { recursive: true });
  await finishRoot(root, 'alice', 'bob');
  samples = { root, draft, bundle: await publish(folder, 'sample', { root, signers: [] }) };
  return () => rmSync(folder, { recursive: true, force: true });
});

/** A document in a file of its own. */
function fileSubject(command: readonly string[], envelope: Envelope): Subject {
  return {
    command,
    payloadType: envelope.payloadType,
    make: async () => {
      const path = join(tempDirectory(), 'document.json');
      writeFileSync(path, encodeEnvelope(envelope));
      return { path, file: path };
    },
  };
}

function documentSubject<D>(command: readonly string[], format: DocumentFormat<D>, document: D): Subject {
  return fileSubject(command, sealDocument(format, document));
}

const digestOf = (digit: string): Digest => `sha256:${digit.repeat(64)}`;
const TIMES = { issuedAt: '2027-01-01T00:00:00.000Z', expires: '2027-02-01T00:00:00.000Z' };

const SUBJECTS: readonly Subject[] = [
  {
    command: ['trust', 'sign'],
    payloadType: ROOT_PAYLOAD_TYPE,
    make: async () => {
      const path = join(tempDirectory(), 'root');
      cpSync(samples.draft, path, { recursive: true });
      return { path, file: join(path, 'draft.root.dsse.json') };
    },
  },
  {
    command: ['bundle', 'sign'],
    payloadType: BUNDLE_PAYLOAD_TYPE,
    make: async () => {
      const path = join(tempDirectory(), 'linux.bundle');
      cpSync(samples.bundle, path, { recursive: true });
      return { path, file: join(path, 'bundle.dsse.json') };
    },
  },
  documentSubject(['bundle', 'downgrade', 'sign'], DOWNGRADE, {
    v: 1,
    channel: 'rules/linux',
    from: digestOf('1'),
    to: digestOf('2'),
    audience: [],
    reason: 'it breaks ssh',
    ...TIMES,
  }),
  documentSubject(['bundle', 'heads', 'sign'], HEADS, {
    v: 1,
    channels: { 'rules/linux': { seq: 1, payload: digestOf('1') } },
    answers: ['a'.repeat(32)],
    ...TIMES,
  }),
  documentSubject(['trust', 'floor-reset', 'sign'], FLOOR_RESET, {
    v: 1,
    host: 'a'.repeat(32),
    answers: 'b'.repeat(32),
    from: TIMES.expires,
    to: TIMES.issuedAt,
    reason: 'a wrong clock',
    issuedAt: TIMES.issuedAt,
  }),
  fileSubject(
    ['trust', 'enrol', 'sign'],
    sealEnrolment({
      v: 1,
      operator: 'dave',
      keys: [{ keyid: keyOf('carol').keyid, pem: keyOf('carol').pem }],
      roles: ['evidence'],
      ...TIMES,
    }),
  ),
  fileSubject(
    ['trust', 'enrol', 'host'],
    sealEnrolment({
      v: 1,
      host: 'a'.repeat(32),
      logs: [
        {
          origin: 'daemoneye.invalid/x/install',
          genesis: digestOf('3'),
          hash: 'blake3',
          keyid: keyOf('carol').keyid,
          pem: keyOf('carol').pem,
        },
      ],
      issuedAt: TIMES.issuedAt,
    }),
  ),
];

describe.each(SUBJECTS)('a smart card or HSM, for $command', ({ command, payloadType, make }) => {
  const schema = command.join('-');
  const sign = (path: string, ...args: readonly string[]): Promise<Ran> => inside([...command, path, ...args]);
  const add = (path: string, signature: Uint8Array, name: string, ...args: readonly string[]) => {
    const file = join(tempDirectory(), 'signature');
    writeFileSync(file, signature);
    return sign(path, '--add-signature', file, '--key', publicKey(name), ...args);
  };
  const envelopeIn = (file: string): Envelope => parseEnvelope(readFileSync(file), payloadType);
  async function toSign(path: string): Promise<Uint8Array> {
    const out = join(tempDirectory(), 'to-sign');
    const ran = await sign(path, '--print-pae', '--out', out);
    expect([ran.code, ran.stderr]).toEqual([0, '']);
    return new Uint8Array(readFileSync(out));
  }

  it('gets exactly the pre-authentication encoding: into a file, onto standard output, or in JSON', async () => {
    const { path, file } = await make();
    const bytes = await toSign(path);
    await sign(path, '--key', privateKey('alice'));
    const { payload } = envelopeIn(file);
    expect(bytes).toEqual(preAuthEncoding(payloadType, payload));

    const piped = await sign(path, '--print-pae');
    expect(piped.stdout).toBe(Buffer.from(bytes).toString());
    expect(piped.stderr).toContain(payloadDigest(envelopeIn(file)));

    type Printed = { readonly pae?: string; readonly bytes: number; readonly fingerprint: string };
    const json = jsonOf<Printed>(await sign(path, '--print-pae', '--json'), schema);
    expect(json).toMatchObject({ payloadType, bytes: bytes.length, pae: encodeBase64(bytes) });
    expect(json.fingerprint).toBe(payloadDigest(envelopeIn(file)));
    const out = join(tempDirectory(), 'to-sign');
    const named = jsonOf<Printed>(await sign(path, '--print-pae', '--out', out, '--json'), schema);
    expect([named.pae, readFileSync(out).length]).toEqual([undefined, bytes.length]);
  });

  it('writes over no file, and not onto a terminal', async () => {
    const { path } = await make();
    const out = join(tempDirectory(), 'to-sign');
    writeFileSync(out, 'mine');
    expectError(await sign(path, '--print-pae', '--out', out), 'FILE_EXISTS', 1);
    expect(readFileSync(out, 'utf8')).toBe('mine');
    const shown = await inside([...command, path, '--print-pae'], { columns: 80 });
    expect([shown.code, shown.stdout]).toEqual([2, '']);
  });

  it('gives its signature back: raw or in base64, and several people in any order', async () => {
    const { path, file } = await make();
    const message = await toSign(path);
    const first = await add(path, utf8(`${encodeBase64(cardOf('carol', message))}\n`), 'carol', '--json');
    expect(jsonOf(first, schema)).toMatchObject({ keyid: keyOf('carol').keyid, signatures: 1 });
    expect((await sign(path, '--key', privateKey('bob'))).code).toBe(0);
    expect((await add(path, cardOf('alice', message), 'alice')).code).toBe(0);
    const keys = ['alice', 'bob', 'carol'].map(keyOf);
    expect(signingKeys(envelopeIn(file), keys)).toHaveLength(3);

    const other = await make();
    for (const name of ['alice', 'bob', 'carol']) await sign(other.path, '--key', privateKey(name));
    expect(readFileSync(other.file)).toEqual(readFileSync(file));
  });

  it.skipIf(!hasOpenssl)('is openssl here: pkeyutl -sign -rawin (skipped without it)', async () => {
    const { path, file } = await make();
    const work = tempDirectory();
    expect((await sign(path, '--print-pae', '--out', join(work, 'to-sign'))).code).toBe(0);
    const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: work, stdio: 'pipe' });
    openssl('pkeyutl', '-sign', '-rawin', '-inkey', privateKey('bob'), '-in', 'to-sign', '-out', 'raw');
    openssl('base64', '-in', 'raw', '-out', 'wrapped');
    const ran = await sign(path, '--add-signature', join(work, 'wrapped'), '--key', publicKey('bob'));
    expect([ran.code, ran.stderr]).toEqual([0, '']);
    expect(signingKeys(envelopeIn(file), [keyOf('bob')])).toHaveLength(1);
    expectError(
      await sign(path, '--add-signature', join(work, 'raw'), '--key', publicKey('bob')),
      'SIGNATURE_DUPLICATE',
      1,
    );
  });

  it('is refused with another key, another document, a digest, the payload alone, or twice; nothing is written', async () => {
    const { path, file } = await make();
    const message = await toSign(path);
    await sign(path, '--key', privateKey('bob'));
    const before = readFileSync(file);
    const { payload } = envelopeIn(file);
    expectError(await add(path, cardOf('mallory', message), 'alice'), 'BAD_SIGNATURE', 3);
    expectError(await add(path, cardOf('alice', message), 'carol'), 'BAD_SIGNATURE', 3);
    expectError(await add(path, cardOf('alice', payload), 'alice'), 'BAD_SIGNATURE', 3);
    expectError(await add(path, cardOf('alice', utf8('something else')), 'alice'), 'BAD_SIGNATURE', 3);
    expectError(await add(path, new Uint8Array(64), 'alice'), 'BAD_SIGNATURE', 3);
    expectError(await add(path, cardOf('bob', message), 'bob'), 'SIGNATURE_DUPLICATE', 1);
    expectError(await add(path, cardOf('alice', message).slice(1), 'alice'), 'SIGNATURE_MALFORMED', 1);
    expectError(await add(path, new Uint8Array(257), 'alice'), 'FILE_TOO_LARGE', 1);
    expect(readFileSync(file)).toEqual(before);
  });

  it('is called by one way at a time, with the right half of a key', async () => {
    const { path, file } = await make();
    const signature = join(tempDirectory(), 'signature');
    writeFileSync(signature, new Uint8Array(64));
    for (const args of [
      [],
      ['--add-signature', signature],
      ['--print-pae', '--key', privateKey('alice')],
      ['--print-pae', '--add-signature', signature],
      // Only what lies in a file of its own can be written into another.
      ...(path === file ? [] : [['--out', join(path, 'x'), '--key', privateKey('alice')]]),
    ]) {
      expectError(await sign(path, ...args), 'USAGE_OPTION', 2);
    }
    const halves = [
      ['--key', publicKey('alice')],
      ['--add-signature', signature, '--key', privateKey('alice')],
    ];
    for (const args of halves) expectError(await sign(path, ...args), 'KEY_WRONG_HALF', 1);
    if (command.join() === 'trust,sign') expect(existsSync(file)).toBe(false);
    else expect(envelopeIn(file).signatures).toEqual([]);
  });
});

describe('a card that signed the draft of a trust root', () => {
  it('signs for nothing once the draft has changed', async () => {
    const [root] = SUBJECTS;
    const { path } = (await root?.make()) ?? { path: '' };
    const out = join(tempDirectory(), 'to-sign');
    await ok('trust', 'sign', path, '--print-pae', '--out', out);
    const signature = join(tempDirectory(), 'signature');
    writeFileSync(signature, cardOf('alice', readFileSync(out)));
    await ok('trust', 'set-role', path, 'rules', '--key', 'alice');
    const args = ['--add-signature', signature, '--key', publicKey('alice')];
    expectError(await inside(['trust', 'sign', path, ...args]), 'BAD_SIGNATURE', 3);
  });

  it('is not asked to sign what is no sound root', async () => {
    const path = join(tempDirectory(), 'root');
    await ok('trust', 'init', path, '--expires', '365d');
    expectError(await inside(['trust', 'sign', path, '--print-pae']), 'ROOT_MALFORMED', 3);
  });

  it('counts when the copy comes back, beside people who sign with files', async () => {
    const [root] = SUBJECTS;
    const { path, file } = (await root?.make()) ?? { path: '', file: '' };
    await ok('trust', 'sign', path, '--key', privateKey('bob'));
    const copy = join(tempDirectory(), 'copy.json');
    cpSync(file, copy);
    const out = join(tempDirectory(), 'to-sign');
    await ok('trust', 'sign', copy, '--print-pae', '--out', out);
    const signature = join(tempDirectory(), 'signature');
    writeFileSync(signature, cardOf('carol', readFileSync(out)));
    await ok('trust', 'sign', copy, '--add-signature', signature, '--key', publicKey('carol'));
    await ok('trust', 'finish', path, copy);
    expect(existsSync(join(path, '1.root.dsse.json'))).toBe(true);
  });
});

describe.each(SUBJECTS.slice(2))('people who sign copies apart, for $command', ({ command, payloadType, make }) => {
  const schema = command.join('-');

  it('bring them together with --merge, in any order, once; what is in it stays what it was', async () => {
    const { path } = await make();
    const unsigned = readFileSync(path);
    const copies: string[] = [];
    for (const name of ['alice', 'bob']) {
      const copy = join(tempDirectory(), `${name}.json`);
      await ok(...command, path, '--key', privateKey(name), '--out', copy);
      copies.push(copy);
    }
    expect(readFileSync(path)).toEqual(unsigned);
    const merge = (files: readonly string[]) => files.flatMap((file) => ['--merge', file]);
    const merged = jsonOf<object>(await inside([...command, path, ...merge(copies), '--json']), schema);
    expect(merged).toMatchObject({ file: path, signatures: 2 });
    expect(merged).not.toHaveProperty('keyid');
    const again = await inside([...command, path, ...merge(copies.reverse()), '--json']);
    expect(jsonOf<object>(again, schema)).toEqual(merged);
    const envelope = parseEnvelope(readFileSync(path), payloadType);
    expect(signingKeys(envelope, ['alice', 'bob', 'carol'].map(keyOf))).toHaveLength(2);
  });

  it('are refused with another document, with no document, and together with another way to sign', async () => {
    const { path } = await make();
    const before = readFileSync(path);
    const envelope = parseEnvelope(before, payloadType);
    const changed = join(tempDirectory(), 'changed.json');
    const text = Buffer.from(envelope.payload).toString().replace('2027-01-01', '2027-01-02');
    writeFileSync(changed, encodeEnvelope({ ...envelope, payload: utf8(text) }));
    expectError(await inside([...command, path, '--merge', changed]), 'PAYLOADS_DIFFER', 3);
    const both = ['--merge', changed, '--key', privateKey('bob')];
    expectError(await inside([...command, path, ...both]), 'USAGE_OPTION', 2);
    const bundle = join(samples.bundle, 'bundle.dsse.json');
    const ran = await inside([...command, path, '--merge', bundle]);
    expect([ran.code, ran.stderr]).toEqual([3, expect.stringMatching(/\[(DOCUMENT|ENROLMENT)_MALFORMED\]\n$/)]);
    expect(readFileSync(path)).toEqual(before);
  });
});

it('an operator is enrolled without a key here, for cards to sign', async () => {
  const out = join(tempDirectory(), 'dave.json');
  const about = ['--public', publicKey('carol'), '--role', 'evidence', '--expires', '90d'];
  const ran = await inside(['trust', 'enrol', 'operator', 'dave', ...about, '--out', out, '--json']);
  expect(jsonOf<object>(ran, 'trust-enrol-operator')).toMatchObject({ signatures: 0 });
  expectError(await inside(['trust', 'enrol', 'host', out, '--print-pae']), 'USAGE_VALUE', 2);
  await ok('trust', 'enrol', 'sign', out, '--print-pae', '--out', `${out}.pae`);
});

describe('people who sign copies of a bundle apart', () => {
  it('need its envelope and its index alone; --merge takes them in, in any order', async () => {
    const folder = tempDirectory();
    const bundle = join(folder, 'linux.bundle');
    cpSync(samples.bundle, bundle, { recursive: true });
    for (const name of ['alice', 'bob']) {
      mkdirSync(join(folder, name));
      for (const file of ['bundle.dsse.json', 'index.jsonl']) cpSync(join(bundle, file), join(folder, name, file));
      await ok('bundle', 'sign', join(folder, name), '--key', privateKey(name));
    }
    const ran = await inside([
      ...['bundle', 'sign', bundle, '--json'],
      ...['--merge', join(folder, 'bob'), '--merge', join(folder, 'alice/bundle.dsse.json')],
    ]);
    expect(jsonOf(ran, 'bundle-sign')).toMatchObject({ directory: bundle, signatures: 2 });
    expect((await inside(['bundle', 'verify', bundle, '--trust', samples.root])).code).toBe(0);
  });

  it('are refused with another bundle, and together with another way to sign', async () => {
    const folder = tempDirectory();
    const bundle = join(folder, 'linux.bundle');
    cpSync(samples.bundle, bundle, { recursive: true });
    const other = await publish(folder, 'other', { root: samples.root, signers: ['alice'], after: samples.bundle });
    expectError(await inside(['bundle', 'sign', bundle, '--merge', other]), 'PAYLOADS_DIFFER', 3);
    expectError(
      await inside(['bundle', 'sign', bundle, '--merge', other, '--key', privateKey('bob')]),
      'USAGE_OPTION',
      2,
    );
  });
});
