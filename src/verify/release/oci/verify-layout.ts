import { encodeHex } from '../../../core/bytes.ts';
import { verdictOf } from '../../../core/checks.ts';
import { sha256 } from '../../../core/digest.ts';
import { messageOf } from '../../../core/errors.ts';
import { isJsonObject, parseStrictJsonObject } from '../../../core/strict-json.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { ReleaseError } from '../errors.ts';
import { messageOfBytes } from '../message.ts';
import type { Artifact, MethodOutcome } from '../method.ts';
import type { ReleasePolicy } from '../provenance/policy.ts';
import { cosignAsBundle } from '../sigstore/cosign.ts';
import { MAX_MATERIAL_BYTES } from '../sigstore/format.ts';
import { judgeOutcomes } from '../sigstore/many.ts';
import { readBundle } from '../sigstore/read-bundle.ts';
import { type SigstoreOutcome, type SigstoreTrust, verifyReadBundle } from '../sigstore/verify-bundle.ts';
import { runStages } from '../stages.ts';
import { type Choice, chooseImage, type Found } from './choose-image.ts';
import {
  type Descriptor,
  descriptorsIn,
  type LayoutSource,
  type Manifest,
  readSmallBlob,
  walkImage,
} from './layout.ts';

/** Layers of cosign's signature manifests, and what its annotations are called (cosign's specs/SIGNATURE_SPEC.md). */
const SIMPLE_SIGNING = 'application/vnd.dev.cosign.simplesigning.v1+json';
const NOTE = {
  signature: 'dev.cosignproject.cosign/signature',
  certificate: 'dev.sigstore.cosign/certificate',
  bundle: 'dev.sigstore.cosign/bundle',
} as const;
const BUNDLE_LAYER = /^application\/vnd\.dev\.sigstore\.bundle/;
const MAX_SIGNATURES = 64;

/**
 * Verifies an image in an OCI layout on disk, as `cosign save` and `oras` write it: the image is chosen, every blob of it is
 * there and is what its name says, and one of its signatures (cosign's own, or a sigstore bundle that refers to it) is by
 * the expected signer.
 */
export function verifyOciLayout(
  source: LayoutSource,
  choice: Choice,
  trust: SigstoreTrust,
  policy?: ReleasePolicy,
): MethodOutcome {
  let found: Found | undefined;
  const checks = runStages([
    {
      name: 'layout',
      run: () => {
        found = chooseImage(source, choice);
        return `the image sha256:${found.image.descriptor.hex}`;
      },
    },
    {
      name: 'blobs',
      run: () => {
        if (found === undefined) throw new ReleaseError('LAYOUT_MALFORMED', 'there is no image');
        return `${walkImage(source, found.image)} blobs, each with its digest`;
      },
    },
    {
      name: 'signed',
      run: () => {
        const count = found?.signatures.length ?? 0;
        if (count > 0 && count <= MAX_SIGNATURES) return `${count} manifest${count === 1 ? '' : 's'} with signatures`;
        throw new ReleaseError('UNSIGNED', `the layout has ${count} manifests with signatures of this image`);
      },
    },
  ]);
  if (found === undefined || verdictOf(checks) !== 'trusted') return { checks, signers: [] };
  const { image, signatures } = found;
  const outcomes = signatures.flatMap((manifest) => outcomesOf(source, image, manifest, trust));
  const judged = judgeOutcomes(outcomes, policy);
  const unsigned = outcomes.length > 0 ? [] : runStages([{ name: 'signature', run: nothingThere }]);
  return { checks: [...checks, ...judged.checks, ...unsigned], signers: judged.signers };
}

function nothingThere(): never {
  throw new ReleaseError('UNSIGNED', 'the manifests of signatures hold none that is known');
}

/** One manifest of signatures: each of its layers is one. */
function outcomesOf(
  source: LayoutSource,
  image: Manifest,
  manifest: Manifest,
  trust: SigstoreTrust,
): SigstoreOutcome[] {
  const layers = descriptorsIn(manifest.json, 'layers', 'a manifest of signatures').slice(0, MAX_SIGNATURES);
  // With all of its digests: where an attestation has several, each must be this image's.
  const artifact = messageOfBytes(`sha256:${image.descriptor.hex}`, image.bytes);
  return layers.flatMap((layer) => {
    if (BUNDLE_LAYER.test(layer.mediaType)) {
      return [verifyReadBundle(artifact, () => readBundle(readSmallBlob(source, layer, MAX_MATERIAL_BYTES)), trust)];
    }
    return layer.mediaType === SIMPLE_SIGNING ? [simpleSigning(source, image, layer, trust)] : [];
  });
}

/** The signature is over a small document, and the document names the image: both count. */
function simpleSigning(
  source: LayoutSource,
  image: Manifest,
  layer: Descriptor,
  trust: SigstoreTrust,
): SigstoreOutcome {
  const MAX_PAYLOAD_BYTES = 1024 * 1024;
  let payload: Uint8Array = new Uint8Array();
  const [read] = runStages([
    {
      name: 'payload',
      run: () => {
        payload = readSmallBlob(source, layer, MAX_PAYLOAD_BYTES);
        return 'the signed document has its digest';
      },
    },
  ]);
  if (read?.status !== 'pass') return { checks: read === undefined ? [] : [read], signers: [] };
  const hash = sha256(payload);
  const document: Artifact = { name: 'payload', digests: { sha256: encodeHex(hash) }, bytes: payload };
  const outcome = verifyReadBundle(document, () => bundleOf(layer, hash), trust);
  if (verdictOf(outcome.checks) !== 'trusted') return outcome;
  const checks = [...outcome.checks, ...runStages([{ name: 'image', run: () => assertNames(payload, image) }])];
  return verdictOf(checks) === 'trusted' ? { ...outcome, checks } : { checks, signers: [] };
}

function bundleOf({ annotations }: Descriptor, hash: Uint8Array): ReturnType<typeof cosignAsBundle> {
  const { [NOTE.signature]: signature, [NOTE.certificate]: certificate, [NOTE.bundle]: bundle } = annotations;
  if (signature === undefined) throw new ReleaseError('MATERIAL_MALFORMED', 'a layer of signatures has no signature');
  return cosignAsBundle({
    signature,
    sha256: hash,
    ...(certificate === undefined || certificate === '' ? {} : { signer: certificate }),
    ...(bundle === undefined || bundle === '' ? {} : { rekorBundle: parseStrictJsonObject(Buffer.from(bundle)) }),
  });
}

/** https://github.com/containers/image/blob/main/docs/containers-signature.5.md, "critical". */
function assertNames(payload: Uint8Array, image: Manifest): string {
  const { digest, reference } = namedIn(payload);
  if (digest === `sha256:${image.descriptor.hex}`) {
    const as = reference === '' ? '' : `, as ${escapeForTerminal(reference.slice(0, 200))}`;
    return `the signed document names this image${as}`;
  }
  throw new ReleaseError('SUBJECT_MISMATCH', 'the signature is valid, but it is over another image');
}

/** The reference is what its signer called it: told, since the name in a layout is anybody's. */
function namedIn(payload: Uint8Array): { readonly digest?: string; readonly reference: string } {
  try {
    const { critical } = parseStrictJsonObject(payload, { numbers: 'any' });
    const { image, identity, type } = isJsonObject(critical) ? critical : {};
    const digest = isJsonObject(image) ? image['docker-manifest-digest'] : undefined;
    const named = isJsonObject(identity) ? identity['docker-reference'] : undefined;
    const reference = typeof named === 'string' ? named : '';
    const isDigest = type === 'cosign container image signature' && typeof digest === 'string';
    return isDigest ? { digest, reference } : { reference };
  } catch (cause) {
    throw new ReleaseError('STATEMENT_MALFORMED', `the signed document can't be read (${messageOf(cause)})`, { cause });
  }
}
