import { isJsonObject } from '../../../core/strict-json.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { ReleaseError } from '../errors.ts';
import {
  type Descriptor,
  descriptorOf,
  descriptorsIn,
  type LayoutSource,
  MAX_ENTRIES,
  type Manifest,
  readIndex,
  readManifest,
} from './layout.ts';

/** Which image of the layout: by digest (`sha256:…`), by the name it has there, or the only one. */
export type Choice = { readonly digest?: string; readonly name?: string };

export type Found = { readonly image: Manifest; readonly signatures: readonly Manifest[] };

const REF_NAME = 'org.opencontainers.image.ref.name';
/** `cosign save` says of each manifest what it is. */
const KIND = 'kind';
const COSIGN_IMAGE = new Set(['dev.cosignproject.cosign/image', 'dev.cosignproject.cosign/imageIndex']);
/** `sha256-<hex>.sig`, `.att`, `.sbom`, or alone: what registries without referrers call them. */
const ATTACHED = /^sha256-([0-9a-f]{64})(?:\.(sig|att|sbom))?$/;

/**
 * The image, and the manifests that say they are about it. Several images and no choice is a question, not a guess.
 * @throws ReleaseError LAYOUT_MALFORMED, LAYOUT_AMBIGUOUS, BLOB_MISSING or BLOB_MISMATCH
 */
export function chooseImage(source: LayoutSource, choice: Choice): Found {
  const entries = flattened(source, readIndex(source));
  const images = entries.filter((entry) => !isAttached(entry));
  const fitting = images.filter(({ descriptor }) => isChosen(descriptor, choice));
  const [image] = fitting;
  const distinct = new Set(fitting.map(({ descriptor }) => descriptor.hex));
  if (image === undefined) throw new ReleaseError('LAYOUT_MALFORMED', 'the layout has no such image');
  if (distinct.size > 1) {
    const names = fitting.map(({ descriptor }) => descriptor.annotations[REF_NAME] ?? `sha256:${descriptor.hex}`);
    const shown = escapeForTerminal(names.slice(0, 8).join(', '));
    throw new ReleaseError('LAYOUT_AMBIGUOUS', `the layout has ${distinct.size} images (${shown}); say which`);
  }
  const cosignAlone = images.length === 1;
  const signatures = entries.filter((entry) => isAttached(entry) && isAbout(entry, image, cosignAlone));
  return { image, signatures };
}

/** The manifests of index.json; an index that holds what refers to an image is taken for what it holds. */
function flattened(source: LayoutSource, descriptors: readonly Descriptor[]): Manifest[] {
  const read = readingOnce(source);
  return descriptors.flatMap((descriptor) => {
    const manifest = read(descriptor);
    const isReferrers =
      ATTACHED.exec(descriptor.annotations[REF_NAME] ?? '')?.[2] === undefined && isAttachedName(descriptor);
    const inside = isReferrers ? descriptorsIn(manifest.json, 'manifests', 'a list of referrers') : [];
    return inside.length === 0 ? [manifest] : inside.map(read);
  });
}

/** Lists may name one manifest thousands of times, in thousands of lists: it is read once, and their sum is bounded. */
function readingOnce(source: LayoutSource): (descriptor: Descriptor) => Manifest {
  const known = new Map<string, Manifest>();
  let count = 0;
  return (descriptor) => {
    count += 1;
    if (count > MAX_ENTRIES) {
      throw new ReleaseError('LAYOUT_MALFORMED', `not an OCI layout that can be used: over ${MAX_ENTRIES} manifests`);
    }
    const key = `${descriptor.hex} ${descriptor.size} ${descriptor.mediaType}`;
    const manifest = known.get(key) ?? readManifest(source, descriptor);
    known.set(key, manifest);
    return { ...manifest, descriptor };
  };
}

function isAttachedName({ annotations }: Descriptor): boolean {
  return ATTACHED.test(annotations[REF_NAME] ?? '');
}

function isAttached({ descriptor, json }: Manifest): boolean {
  const kind = descriptor.annotations[KIND];
  if (kind?.startsWith('dev.cosignproject.cosign/') === true) return !COSIGN_IMAGE.has(kind);
  return isAttachedName(descriptor) || json['subject'] !== undefined;
}

/**
 * Only narrows down what is looked at: whether a signature is about the image, its own signed content says. What
 * `cosign save` writes doesn't name the image; it saves one at a time.
 */
function isAbout({ descriptor, json }: Manifest, image: Manifest, alone: boolean): boolean {
  const subject = json['subject'];
  if (isJsonObject(subject)) return descriptorOf(subject).hex === image.descriptor.hex;
  const named = ATTACHED.exec(descriptor.annotations[REF_NAME] ?? '')?.[1];
  return named === undefined ? alone : named === image.descriptor.hex;
}

function isChosen({ hex, annotations }: Descriptor, { digest, name }: Choice): boolean {
  return (digest === undefined || digest === `sha256:${hex}`) && (name === undefined || annotations[REF_NAME] === name);
}
