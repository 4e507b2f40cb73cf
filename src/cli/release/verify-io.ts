import { basename } from 'node:path';
import type { Report } from '../../core/checks.ts';
import type { Time } from '../../core/time.ts';
import { type NamedBytes, ReleaseVerification } from '../../verify/release/release-report.ts';
import { usageError } from '../errors.ts';
import { readArtifact, type Watch } from './artifact-io.ts';
import { type Chosen, chooseSignatures, type Trusted } from './choose.ts';
import { readMaterial, readSignature, type SignatureFile, signaturesBeside } from './signatures-io.ts';

export type ReleaseRequest = {
  readonly file: string;
  readonly trusted: readonly Trusted[];
  /** Signatures that the command line names. */
  readonly signatures: readonly string[];
  /** A list of checksums that was signed instead of the file. */
  readonly sums?: string | undefined;
  readonly floor: Time;
};

/** Verifies a release. @throws CliError USAGE_OPTION, FILE_NOT_FOUND and others; ReleaseError for trust that is malformed */
export async function verifyRelease(request: ReleaseRequest, watch: Watch): Promise<Report> {
  const { file, floor } = request;
  const { chosen, sums } = gather(request);
  const verification = new ReleaseVerification(basename(file), chosen.methods, sums);
  const message = await readArtifact(file, verification.needs, watch);
  verification.artifact(message, chosen.notChecked);
  return verification.report(message, floor);
}

type Gathered = { readonly chosen: Chosen; readonly sums?: NamedBytes };

function gather({ file, trusted, signatures, sums: list }: ReleaseRequest): Gathered {
  const given = signatures.map(readSignature);
  const listed = list === undefined ? undefined : readMaterial(list);
  // OpenBSD's SHA256.sig: the list and its signature in one file, named as either.
  const whole = list === undefined || listed === undefined ? undefined : embeddingList(list, listed);
  const signed = list ?? file;
  const named = whole === undefined ? given : [...given, whole];
  const chosen = chooseSignatures(signed, trusted, named, named.length > 0 ? [] : signaturesBeside(signed));
  const embedded = chosen.methods.find((method) => method.embedded !== undefined)?.embedded;
  if (embedded === undefined) {
    return list === undefined || listed === undefined ? { chosen } : { chosen, sums: { name: list, bytes: listed } };
  }
  if (chosen.methods.length > 1 || (list !== undefined && whole === undefined)) {
    throw usageError('USAGE_OPTION', 'a signify signature with the signed text in it is checked alone, without others');
  }
  return { chosen, sums: { name: list ?? signatures[0] ?? file, bytes: embedded } };
}

function embeddingList(path: string, bytes: Uint8Array): SignatureFile | undefined {
  return Buffer.from(bytes.subarray(0, 18)).toString('latin1') === 'untrusted comment:'
    ? { path, bytes, kind: 'signify' }
    : undefined;
}
