import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BUNDLE_PAYLOAD_TYPE } from '../../src/bundle/format.ts';
import { parseEnvelope } from '../../src/core/dsse.ts';
import { parsePublicKey } from '../../src/core/keys.ts';
import { expectError, hasTool, inside, jsonOf, ROOT } from '../support/cli.ts';
import { tempDirectory } from '../support/temp.ts';
import { ok, privateKey, publicKey } from '../support/workspace.ts';

/** Signatures beside a bundle, checked by the tools they are for; and as whoever would have them say more than they do. */

const SAMPLE = join(ROOT, 'bundles/samples/linux-baseline-1.bundle');
/** Of the TEST-ONLY key of carol, which has not signed the sample. */
const CAROL = parsePublicKey(readFileSync(publicKey('carol'), 'utf8')).keyid.slice(0, 8);

/** The sample in a place of its own, signed by carol with these sidecars. */
async function signed(...kinds: readonly string[]) {
  const folder = tempDirectory();
  const at = (name: string) => join(folder, name);
  cpSync(SAMPLE, at('b'), { recursive: true });
  const options = kinds.flatMap((kind) => ['--sidecar', kind]);
  const sign = () => inside(['bundle', 'sign', at('b'), '--key', privateKey('carol'), ...options, '--json']);
  const ran = await sign();
  expect(ran.code, ran.stderr).toBe(0);
  const { sidecars } = jsonOf<{ sidecars: readonly string[] }>(ran, 'bundle-sign');
  const exported = async (format: string, name: string) =>
    writeFileSync(at(name), (await ok('keys', 'show', publicKey('carol'), '--format', format)).stdout);
  return {
    at,
    sign,
    sidecars,
    exported,
    statement: at('b.statement.json'),
    sidecar: (ending: string) => at(`b.statement.json.${CAROL}${ending}`),
    accepts(command: string, args: readonly string[], input = ''): boolean {
      try {
        execFileSync(command, args, { cwd: folder, input, stdio: ['pipe', 'ignore', 'ignore'] });
        return true;
      } catch {
        return false;
      }
    },
    alter: () => writeFileSync(at('b.statement.json'), readFileSync(at('b.statement.json'), 'utf8').replace('1', '2')),
  };
}

type Signed = Awaited<ReturnType<typeof signed>>;

/** The tool says yes to what was signed, and no to one byte more or less of it. */
function judges(place: Signed, check: () => boolean): void {
  expect(check()).toBe(true);
  place.alter();
  expect(check()).toBe(false);
}

describe('sidecars of a bundle', () => {
  it.skipIf(!hasTool('minisign'))('are checked by minisign itself (skipped without it)', async () => {
    const place = await signed('minisig');
    await place.exported('minisign', 'carol.pub');
    const args = ['-V', '-q', '-p', 'carol.pub', '-m', place.statement, '-x', place.sidecar('.minisig')];
    judges(place, () => place.accepts('minisign', args));
  });

  it.skipIf(!hasTool('signify-openbsd'))('are checked by signify itself (skipped without it)', async () => {
    const place = await signed('signify');
    await place.exported('signify', 'carol.pub');
    const args = ['-V', '-q', '-p', 'carol.pub', '-m', place.statement, '-x', place.sidecar('.sig')];
    judges(place, () => place.accepts('signify-openbsd', args));
  });

  it.skipIf(!hasTool('ssh-keygen'))('are checked by ssh-keygen itself (skipped without it)', async () => {
    const place = await signed('sshsig');
    await place.exported('ssh', 'carol.pub');
    writeFileSync(place.at('signers'), `carol namespaces="file" ${readFileSync(place.at('carol.pub'), 'utf8')}`);
    const args = ['-Y', 'verify', '-f', 'signers', '-I', 'carol', '-n', 'file', '-s', place.sidecar('.sshsig')];
    judges(place, () => place.accepts('ssh-keygen', args, readFileSync(place.statement, 'utf8')));
  });

  it.skipIf(!hasTool('openssl'))('are checked by openssl itself (skipped without it)', async () => {
    const place = await signed('raw');
    await place.exported('pem', 'carol.pub');
    const key = ['pkeyutl', '-verify', '-pubin', '-inkey', 'carol.pub', '-rawin'];
    const args = [...key, '-in', place.statement, '-sigfile', place.sidecar('.signature')];
    judges(place, () => place.accepts('openssl', args));
  });

  it('cover the statement to the byte, come out the same each time, and are checked by release verify', async () => {
    const place = await signed('minisig', 'sshsig', 'signify', 'raw', 'raw');
    const { sidecars, statement, at } = place;
    expect(sidecars).toHaveLength(5);
    const { payload } = parseEnvelope(new Uint8Array(readFileSync(at('b/bundle.dsse.json'))), BUNDLE_PAYLOAD_TYPE);
    expect(new Uint8Array(readFileSync(statement))).toEqual(payload);
    const before = sidecars.map((path) => readFileSync(path));
    expect((await place.sign()).code).toBe(0);
    expect(sidecars.map((path) => readFileSync(path))).toEqual(before);
    await place.exported('minisign', 'minisign.pub');
    await place.exported('signify', 'signify.pub');
    await place.exported('ssh', 'ssh.pub');
    writeFileSync(at('signers'), `carol ${readFileSync(at('ssh.pub'), 'utf8')}`);
    for (const [option, trusted, ending] of [
      ['--minisign', at('minisign.pub'), '.minisig'],
      ['--signify', at('signify.pub'), '.sig'],
      ['--ssh-signers', at('signers'), '.sshsig'],
      ['--key', publicKey('carol'), '.signature'],
    ] as const) {
      const verify = ['release', 'verify', statement, option, trusted, '--signature', place.sidecar(ending)];
      const ran = await inside(verify);
      expect(ran.code, `${option}: ${ran.stdout}${ran.stderr}`).toBe(0);
    }
  });

  it('are no signatures of the bundle: their bytes are not those of an envelope', async () => {
    const { at, sidecar } = await signed('raw');
    const add = ['bundle', 'sign', SAMPLE, '--add-signature', sidecar('.signature'), '--key', publicKey('carol')];
    expectError(await inside(add), 'BAD_SIGNATURE', 3);
    // Nor the other way: what a card signs for the envelope says nothing about the bare statement.
    const envelope = parseEnvelope(new Uint8Array(readFileSync(at('b/bundle.dsse.json'))), BUNDLE_PAYLOAD_TYPE);
    writeFileSync(at('from-envelope'), envelope.signatures.at(-1)?.sig ?? '');
    const verify = ['release', 'verify', at('b.statement.json'), '--key', publicKey('carol')];
    expect((await inside([...verify, '--signature', at('from-envelope')])).code).toBe(3);
  });

  it('never take the place of another file, and nothing is signed then', async () => {
    const folder = tempDirectory();
    const at = (name: string) => join(folder, name);
    cpSync(SAMPLE, at('b'), { recursive: true });
    writeFileSync(at('b.statement.json'), 'somebody else wrote this');
    const envelope = readFileSync(at('b/bundle.dsse.json'));
    const sign = ['bundle', 'sign', at('b'), '--key', privateKey('carol'), '--sidecar', 'raw'];
    expectError(await inside(sign), 'FILE_EXISTS', 1);
    expect(readFileSync(at('b/bundle.dsse.json'))).toEqual(envelope);
    expect(existsSync(at(`b.statement.json.${CAROL}.signature`))).toBe(false);
  });

  it.each([
    ['an unknown kind', ['--key', privateKey('carol'), '--sidecar', 'pgp'], 'USAGE_VALUE'],
    ['no key', ['--print-pae', '--sidecar', 'raw'], 'USAGE_OPTION'],
    ['a merge', ['--merge', SAMPLE, '--sidecar', 'raw'], 'USAGE_OPTION'],
  ])('are refused with %s', async (_what, options, code) => {
    expectError(await inside(['bundle', 'sign', SAMPLE, ...options]), code, 2);
  });

  it('are trusted by keys in the form of each tool', async () => {
    expectError(await inside(['keys', 'show', publicKey('carol'), '--format', 'pgp']), 'USAGE_VALUE', 2);
    const pem = await inside(['keys', 'show', privateKey('carol'), '--format', 'pem']);
    expect(pem.stdout).toBe(readFileSync(publicKey('carol'), 'utf8'));
    const ssh = await inside(['keys', 'show', publicKey('carol'), '--format', 'ssh', '--json']);
    expect(jsonOf<{ exported: { text: string } }>(ssh, 'keys-show').exported.text).toMatch(/^ssh-ed25519 AAAA\S+\n$/);
  });
});
