import { createHash } from 'node:crypto';
import { attestationBundle, bundleBytes, type Leaf, statementAbout } from '../../support/sigstore-authority.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

/** An OCI layout of one image of one layer under `image/`, with a signature about `about`, by default the image. */
export function imageLayout(signer: Leaf, about?: string, layer = 'layer') {
  const files: Record<string, string | Uint8Array> = {};
  const blob = (content: Uint8Array | object, mediaType: string) => {
    const bytes = content instanceof Uint8Array ? content : Buffer.from(JSON.stringify(content));
    const hex = createHash('sha256').update(bytes).digest('hex');
    files[`image/blobs/sha256/${hex}`] = bytes;
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const config = blob({}, 'application/vnd.oci.image.config.v1+json');
  const layers = [blob(Buffer.from('layer'), 'application/vnd.oci.image.layer.v1.tar')];
  const image = blob({ schemaVersion: 2, config, layers }, MANIFEST);
  const statement = statementAbout([{ name: 'x', digest: { sha256: about ?? image.digest.slice(7) } }]);
  const type = 'application/vnd.dev.sigstore.bundle.v0.3+json';
  const bundle = blob(bundleBytes(attestationBundle(signer, statement)), type);
  const signature = blob({ schemaVersion: 2, artifactType: type, config, layers: [bundle], subject: image }, MANIFEST);
  files[`image/blobs/sha256/${layers[0]?.digest.slice(7)}`] = layer;
  files['image/oci-layout'] = '{"imageLayoutVersion":"1.0.0"}';
  files['image/index.json'] = JSON.stringify({ schemaVersion: 2, manifests: [image, signature] });
  return { files, digest: image.digest };
}
