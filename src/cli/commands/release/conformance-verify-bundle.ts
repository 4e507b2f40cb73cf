import { Command, Option } from 'clipanion';
import { parseReleaseKey } from '../../../verify/release/release-key.ts';
import { sigstoreReport } from '../../../verify/release/sigstore/report.ts';
import { publicGoodRoot, readTrustedRoot } from '../../../verify/release/sigstore/trusted-root.ts';
import { type SigstoreTrust, verifySigstoreBundle } from '../../../verify/release/sigstore/verify-bundle.ts';
import { DaemonCommand } from '../../command.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { readInputFile } from '../../files-io.ts';
import { readFileOrDigest } from '../../release/artifact-io.ts';
import { renderReport } from '../../render/report.ts';

export class ReleaseConformanceVerifyBundle extends DaemonCommand {
  static override paths = [['release', 'conformance', 'verify-bundle']];
  static override usage = Command.Usage({
    description: "Verify a sigstore bundle by the protocol of sigstore's own conformance suite. Exit code 0 or 1.",
    details: 'For that suite; people use "release verify". Another root than the public-good one has to be given.',
    examples: [
      [
        'As the suite calls it',
        '$0 release conformance verify-bundle --bundle a.sigstore.json --certificate-identity dev@example.org --certificate-oidc-issuer https://accounts.example.org a.txt',
      ],
      ['With a key', '$0 release conformance verify-bundle --bundle a.sigstore.json --key key.pub a.txt'],
    ],
  });

  fileOrDigest = Option.String({ name: 'FILE_OR_DIGEST' });
  bundle = Option.String('--bundle', { required: true, description: 'the sigstore bundle `FILE`' });
  identity = Option.String('--certificate-identity', { description: 'signed by `WHO`, exactly' });
  issuer = Option.String('--certificate-oidc-issuer', { description: 'for whom `URL` vouches' });
  key = Option.String('--key', { description: 'signed with the public key in `FILE`' });
  trustedRoot = Option.String('--trusted-root', { description: 'trust `FILE` instead of the public-good root' });
  staging = Option.Boolean('--staging', false, { description: 'of the staging instance; needs --trusted-root' });

  async run(): Promise<ExitCode> {
    const trust = this.trust();
    const artifact = await readFileOrDigest(this.fileOrDigest, this.key !== undefined, this.signal);
    const outcome = verifySigstoreBundle(artifact, readInputFile(this.bundle), trust);
    const report = sigstoreReport(artifact, outcome, trust.root);
    this.result(report, renderReport(report, this.style));
    // The suite's protocol, not our table: what is refused is 1.
    return report.verdict === 'trusted' ? EXIT.done : EXIT.failed;
  }

  private trust(): SigstoreTrust {
    const { identity, issuer, key, trustedRoot } = this;
    if (trustedRoot === undefined && this.staging) {
      throw usageError('USAGE_OPTION', 'the staging root does not ship; give it with --trusted-root');
    }
    if (key !== undefined && (identity !== undefined || issuer !== undefined)) {
      throw usageError('USAGE_OPTION', '--key and --certificate-identity exclude each other');
    }
    if ((identity === undefined) !== (issuer === undefined)) {
      throw usageError('USAGE_OPTION', '--certificate-identity and --certificate-oidc-issuer go together');
    }
    return {
      root: trustedRoot === undefined ? publicGoodRoot() : readTrustedRoot(readInputFile(trustedRoot), trustedRoot),
      ...(key === undefined ? {} : { key: parseReleaseKey(readInputFile(key)) }),
      ...(identity === undefined || issuer === undefined ? {} : { identity: { identity, issuer } }),
    };
  }
}
