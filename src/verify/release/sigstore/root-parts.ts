import { X509Certificate } from '@sigstore/core';
import { messageOf } from '../../../core/errors.ts';
import { formatTime, type Time } from '../../../core/time.ts';
import { ReleaseError } from '../errors.ts';
import { readProtobufJson } from './read-json.ts';
import { readTrustedRoot } from './trusted-root.ts';

/** Something in a file of trust that counts for a span of time; an unset end is none. */
export type DatedPart = {
  readonly what:
    | 'certificate authority'
    | 'transparency log'
    | 'certificate log'
    | 'timestamp authority'
    | 'registry key'
    | 'OpenPGP key';
  /** From outside: an address, or what a registry calls its key. */
  readonly name: string;
  readonly start?: Time;
  readonly end?: Time;
};

type Validity = { readonly start: string; readonly end?: string };
type LogJson = { readonly baseUrl: string; readonly publicKey: { readonly validFor: Validity } };
type AuthorityJson = {
  readonly uri?: string;
  readonly certChain: { readonly certificates: readonly { readonly rawBytes: string }[] };
  readonly validFor: Validity;
};
type RootJson = {
  readonly tlogs?: readonly LogJson[];
  readonly ctlogs?: readonly LogJson[];
  readonly certificateAuthorities: readonly AuthorityJson[];
  readonly timestampAuthorities?: readonly AuthorityJson[];
};

/**
 * Whose word a trusted root takes, and between which moments. An authority ends with the first certificate of its chain
 * that does, also where the root names no end.
 * @throws ReleaseError MATERIAL_TOO_LARGE or TRUSTED_ROOT_MALFORMED
 */
export function trustedRootParts(bytes: Uint8Array): DatedPart[] {
  readTrustedRoot(bytes, 'it');
  const json = readProtobufJson(bytes, 'trusted root', 'TRUSTED_ROOT_MALFORMED') as unknown as RootJson;
  const log = (what: DatedPart['what']) => (entry: LogJson) =>
    partOf(what, entry.baseUrl, entry.publicKey.validFor, []);
  const authority = (what: DatedPart['what']) => (entry: AuthorityJson) =>
    partOf(what, entry.uri ?? 'unnamed', entry.validFor, certificateEnds(entry));
  return [
    ...json.certificateAuthorities.map(authority('certificate authority')),
    ...(json.tlogs ?? []).map(log('transparency log')),
    ...(json.ctlogs ?? []).map(log('certificate log')),
    ...(json.timestampAuthorities ?? []).map(authority('timestamp authority')),
  ];
}

function partOf(what: DatedPart['what'], name: string, validFor: Validity, more: readonly number[]): DatedPart {
  const end = Math.min(...(validFor.end === undefined ? [] : [Date.parse(validFor.end)]), ...more);
  const start = formatTime(Date.parse(validFor.start));
  return { what, name, start, ...(Number.isFinite(end) ? { end: formatTime(end) } : {}) };
}

function certificateEnds({ certChain }: AuthorityJson): number[] {
  try {
    return certChain.certificates.map(({ rawBytes }) => {
      const end = X509Certificate.parse(Buffer.from(rawBytes, 'base64')).notAfter.getTime();
      // An end that is no moment must not pass for none.
      if (Number.isNaN(end)) throw new Error('its end is no moment');
      return end;
    });
  } catch (cause) {
    const message = `not a trusted root: a certificate in it can't be read (${messageOf(cause)})`;
    throw new ReleaseError('TRUSTED_ROOT_MALFORMED', message, { cause });
  }
}
