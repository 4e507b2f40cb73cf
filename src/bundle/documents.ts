import { compareUtf8, encodeHex, utf8 } from '../core/bytes.ts';
import { sha256 } from '../core/digest.ts';
import { canonicalJson, encodeCanonicalJson } from '../core/jcs.ts';
import { BundleError } from './errors.ts';
import { MAX_DOCUMENT_BYTES, PROVENANCE_PATH, rootName, SBOM_PATH, STATEMENT_TYPE } from './format.ts';
import type { IndexEntry } from './index-lines.ts';
import type { BundleStatement } from './statement.ts';

/** A file about the other files of a bundle. */
export type BundleDocument = 'sbom' | 'provenance';

/** What these files tell; nothing else enters them, so the same build writes the same bytes anywhere. */
export type DocumentFacts = Omit<BundleStatement, 'index' | 'bytes' | 'critical'> & {
  readonly rootChain: readonly Uint8Array[];
  readonly documents?: readonly BundleDocument[];
};

/** https://slsa.dev/spec/v1.0/provenance */
const SLSA_PROVENANCE = 'https://slsa.dev/provenance/v1';
const BUILD_TYPE = 'urn:daemoneye:bundle-build:v1';
const BUILDER_ID = 'urn:daemoneye:builder';

/**
 * The files that were asked for, in the order in which the later lists the earlier.
 * @throws BundleError BUILD_INPUT where they don't belong, are there already, or would be too large
 */
export function bundleDocuments(
  facts: DocumentFacts,
  files: readonly IndexEntry[],
): { readonly path: string; readonly bytes: Uint8Array }[] {
  const { documents = [], kind } = facts;
  if (documents.length === 0) return [];
  if (kind !== 'update')
    throw new BundleError('BUILD_INPUT', 'only a bundle of kind update carries an SBOM or provenance');
  const made: { path: string; bytes: Uint8Array }[] = [];
  if (documents.includes('sbom')) made.push({ path: SBOM_PATH, bytes: encodeSbom(facts, files) });
  if (documents.includes('provenance')) {
    const sbom = made.map(({ path, bytes }) => ({ path, sha256: encodeHex(sha256(bytes)) }));
    made.push({ path: PROVENANCE_PATH, bytes: encodeProvenance(facts, files, sbom) });
  }
  for (const { path, bytes } of made) {
    if (files.some((file) => file.path === path))
      throw new BundleError('BUILD_INPUT', `the source has a ${path} already`);
    if (bytes.length > MAX_DOCUMENT_BYTES) {
      throw new BundleError(
        'BUILD_INPUT',
        `${path} would be over ${MAX_DOCUMENT_BYTES} bytes: there are too many files`,
      );
    }
  }
  return made;
}

/**
 * CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/): each file with its SHA-256. No serial number: the specification
 * asks for a random one, and doesn't ask for one.
 */
function encodeSbom({ channel, seq, issuedAt, builder }: DocumentFacts, files: readonly IndexEntry[]): Uint8Array {
  return encodeCanonicalJson({
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      timestamp: issuedAt,
      tools: { components: [{ type: 'application', ...builder }] },
      component: { type: 'application', name: channel, version: String(seq) },
    },
    components: inOrder(files).map(({ path, sha256: content }) => ({
      type: 'file',
      name: path,
      hashes: [{ alg: 'SHA-256', content }],
    })),
  });
}

type Subject = Pick<IndexEntry, 'path' | 'sha256'>;

/** SLSA v1 in an in-toto statement, unsigned: the bundle's own signers vouch for it as for every file. */
function encodeProvenance(
  facts: DocumentFacts,
  files: readonly IndexEntry[],
  documents: readonly Subject[],
): Uint8Array {
  const { kind, channel, seq, prev, audience, issuedAt, expires, builder, requires, rootChain } = facts;
  const parameters = { kind, channel, seq, prev, audience: audience.toSorted(), issuedAt, requires };
  const roots = rootChain.map((bytes, i) => ({ name: rootName(i + 1), digest: { sha256: encodeHex(sha256(bytes)) } }));
  return encodeCanonicalJson({
    _type: STATEMENT_TYPE,
    subject: inOrder([...files, ...documents]).map(({ path, sha256: hex }) => ({
      name: path,
      digest: { sha256: hex },
    })),
    predicateType: SLSA_PROVENANCE,
    predicate: {
      buildDefinition: {
        buildType: BUILD_TYPE,
        externalParameters: { ...parameters, ...(expires === undefined ? {} : { expires }) },
        resolvedDependencies: [{ name: 'source', digest: { sha256: sourceDigest(files) } }, ...roots],
      },
      runDetails: { builder: { id: BUILDER_ID, version: { [builder.name]: builder.version } } },
    },
  });
}

/** SHA-256, hex, of the index lines of the files of the source, without chunks and attestations. */
function sourceDigest(files: readonly IndexEntry[]): string {
  const lines = inOrder(files).map(({ path, mode, size, sha256: hex }) =>
    canonicalJson({ path, mode, size, sha256: hex }),
  );
  return encodeHex(sha256(utf8(lines.map((line) => `${line}\n`).join(''))));
}

function inOrder<T extends { readonly path: string }>(files: readonly T[]): T[] {
  return files.toSorted((a, b) => compareUtf8(a.path, b.path));
}
