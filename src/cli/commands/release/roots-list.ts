import { existsSync } from 'node:fs';
import { Command } from 'clipanion';
import { encodeHex, utf8 } from '../../../core/bytes.ts';
import { sha256 } from '../../../core/digest.ts';
import { RELEASE } from '../../../core/release.ts';
import type { Time } from '../../../core/time.ts';
import { readInstall } from '../../../install/install-io.ts';
import { dataLayout } from '../../../install/layout.ts';
import { loadRootHistory } from '../../../install/root-store-io.ts';
import { NPM_REGISTRY_KEYS } from '../../../verify/release/npm/public-keys.ts';
import { SHIPPED_KEYS_SOURCE } from '../../../verify/release/npm/registry-trust.ts';
import { PUBLIC_GOOD_ROOT } from '../../../verify/release/sigstore/public-good-root.ts';
import { PUBLIC_GOOD_SOURCE } from '../../../verify/release/sigstore/trusted-root.ts';
import type { PinKind } from '../../../verify/root-document.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { type PinView, renderPin, viewDates, viewPins } from '../../release/pinned-list-io.ts';
import { PUBLIC_GOOD } from '../../release/sigstore-trust.ts';

export class ReleaseRootsList extends DaemonCommand {
  static override paths = [['release', 'roots', 'list']];
  static override usage = Command.Usage({
    description: 'List what releases are judged by: files pinned in the trust root here, and what ships.',
    details:
      'Each with its digest, whether its file is here, and until when it counts, held against the time floor. Exit code ' +
      '4 if a file is here that is not the pinned one.',
    examples: [['What is pinned here', '$0 release roots list']],
  });

  async run(): Promise<ExitCode> {
    const { pins, floor, version } = await this.#pinned();
    const all = [
      ...pins,
      shipped(PUBLIC_GOOD, 'sigstore', PUBLIC_GOOD_ROOT, PUBLIC_GOOD_SOURCE, floor),
      shipped('(npm)', 'npm-keys', NPM_REGISTRY_KEYS, SHIPPED_KEYS_SOURCE, floor),
    ];
    const head = version === undefined ? 'no trust root is pinned here' : `trust root ${version}`;
    this.result(
      { version: version ?? null, floor, pins: all },
      [`${head}, time floor ${floor}`, ...all.map(renderPin)].join('\n\n'),
    );
    return pins.some(({ file }) => file === 'changed') ? EXIT.tampered : EXIT.done;
  }

  /** What ships is there without a data directory too. */
  async #pinned(): Promise<{ readonly pins: PinView[]; readonly floor: Time; readonly version?: number }> {
    if (!existsSync(dataLayout(this.dataDirectory).installLog)) return { pins: [], floor: RELEASE.builtAt };
    const { layout, state } = await readInstall(this.dataDirectory, RELEASE.builtAt);
    if (state.root === undefined) return { pins: [], floor: state.floor };
    const pins = viewPins(layout, loadRootHistory(layout, state), state.floor);
    return { pins, floor: state.floor, version: state.root.version };
  }
}

function shipped(name: string, kind: PinKind, text: string, source: string, floor: Time): PinView {
  const bytes = utf8(text);
  return { name, kind, sha256: encodeHex(sha256(bytes)), file: 'ships', source, ...viewDates(kind, bytes, floor) };
}
