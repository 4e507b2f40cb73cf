import { rmSync } from 'node:fs';
import { Command, Option } from 'clipanion';
import { buildBundle } from '../../../bundle/build-io.ts';
import { BUNDLE_KINDS, isBundleKind } from '../../../bundle/format.ts';
import { RELEASE } from '../../../core/release.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { count } from '../../../core/wording.ts';
import type { ContentVerdict } from '../../../verify/bundle-verification.ts';
import { placeToBuild } from '../../bundle-place-io.ts';
import { DaemonCommand } from '../../command.ts';
import { checkBuiltContent } from '../../content-check-io.ts';
import { CliError, usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { parseIssueMoment, parseMoment } from '../../moment.ts';
import { readWorkspacePins } from '../../pinned-workspace-io.ts';
import { readChainToCarry } from '../../trust-workspace-io.ts';
import { updateExtras } from '../../update-extras-io.ts';

export class BundleBuild extends DaemonCommand {
  static override paths = [['bundle', 'build']];
  static override usage = Command.Usage({
    description: 'Build an unsigned bundle from the files in SRC. The same inputs give the same bytes anywhere.',
    details:
      'Rules are compiled and their samples run first. A date in SOURCE_DATE_EPOCH or --issued-at makes it reproducible.',
    examples: [
      [
        'The first of a channel',
        '$0 bundle build rules --kind rules --channel rules/linux --root root --out linux-1.bundle',
      ],
      ['The next one', '$0 bundle build rules --kind rules --after linux-1.bundle --root root --out linux-2.bundle'],
    ],
  });

  source = Option.String({ name: 'SRC' });
  kind = Option.String('--kind', { required: true, description: `\`KIND\`: ${BUNDLE_KINDS.join(', ')}` });
  out = Option.String('--out', { required: true, description: 'make the directory `DIR`' });
  root = Option.String('--root', { required: true, description: 'carry the trust root chain in `DIR` (trust init)' });
  channel = Option.String('--channel', { description: 'publish on `CHANNEL` (rules/linux-baseline)' });
  after = Option.String('--after', { description: 'follow `BUNDLE`: its channel, the next seq' });
  audience = Option.Array('--audience', [], { description: 'only for the enclave `NAME`; default: every enclave' });
  issuedAt = Option.String('--issued-at', { description: 'date it `MOMENT` instead of now' });
  attest = Option.String('--attest', {
    description: 'the signatures of others that `FILE` names must verify (update)',
  });
  sbom = Option.Boolean('--sbom', false, { description: 'add a list of the files, CycloneDX (update)' });
  provenance = Option.Boolean('--provenance', false, { description: 'add SLSA provenance (update)' });
  expires = Option.String('--expires', { description: 'valid until `MOMENT` (2027-01-31, 90d)' });

  async run(): Promise<ExitCode> {
    if (!isBundleKind(this.kind)) throw usageError('USAGE_VALUE', `--kind is one of ${BUNDLE_KINDS.join(', ')}`);
    const extras = updateExtras(this.kind, this);
    const place = await placeToBuild(this.kind, this.channel, this.after);
    const issuedAt = parseIssueMoment(this.issuedAt, this.context.env, this.now);
    const rootChain = readChainToCarry(this.root);
    const statement = {
      kind: this.kind,
      ...place,
      audience: this.audience,
      issuedAt,
      ...(this.expires === undefined ? {} : { expires: parseMoment(this.expires, issuedAt, '--expires') }),
      builder: { name: RELEASE.name, version: RELEASE.version },
      requires: {},
    };
    const built = await buildBundle({ source: this.source, out: this.out, rootChain, ...statement, ...extras });
    const content = await this.#checked({ ...statement, ...built }, rootChain);
    const { channel, seq } = place;
    this.result({ out: this.out, kind: this.kind, channel, seq, issuedAt, ...built }, this.#text(channel, seq, built));
    this.note(`${content.reason}. Next: daemoneye bundle sign ${escapeForTerminal(this.out)} --key KEY`);
    return EXIT.done;
  }

  /** A bundle whose content nobody would accept, or couldn't be looked at, is not left lying about. */
  async #checked(
    built: Parameters<typeof checkBuiltContent>[1],
    rootChain: readonly Uint8Array[],
  ): Promise<ContentVerdict> {
    try {
      const content = await checkBuiltContent(this.out, built, rootChain, readWorkspacePins(this.root), this.signal);
      if (!content.ok) {
        const { reason, cause } = content;
        throw new CliError('CONTENT_REFUSED', `nothing was built: ${reason}`, { cause });
      }
      this.signal.throwIfAborted();
      return content;
    } catch (error) {
      rmSync(this.out, { recursive: true, force: true });
      throw error;
    }
  }

  #text(channel: string, seq: number, built: { statement: string; files: number; bytes: number }): string {
    return [
      `${escapeForTerminal(this.out)}: ${channel} seq ${seq}, ${count(built.files, 'file')}, ${built.bytes} bytes`,
      `statement ${built.statement}`,
    ].join('\n');
  }
}
