import { Command, Option } from 'clipanion';
import { type CheckedSet, type CheckedVolume, checkVolumes } from '../../../bundle/volumes/check-io.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { count } from '../../../core/wording.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';

export class BundleVolumes extends DaemonCommand {
  static override paths = [['bundle', 'volumes']];
  static override usage = Command.Usage({
    description: 'Look at volumes: which are sound, damaged, foreign or there twice, and which are lacking.',
    details:
      'Any of them, in any order, also one alone. Exit code 3 if one is damaged or does not belong; that some are ' +
      'lacking is only told. Says nothing about who signed: bundle verify does, given all of them.',
    examples: [['What is on this disc', '$0 bundle volumes /media/cd/linux-1.bundle.tar.002']],
  });

  volumes = Option.Rest({ name: 'VOLUME', required: 1 });

  async run(): Promise<ExitCode> {
    const bar = this.progress('reading', { unit: 'bytes' });
    let done = 0;
    const found = await checkVolumes(this.volumes, (bytes) => {
      this.signal.throwIfAborted();
      done += bytes;
      bar.update(done);
    });
    const isSound = found.volumes.every(({ state }) => state === 'intact' || state === 'duplicate');
    this.result(found, this.#text(found));
    return isSound ? EXIT.done : EXIT.untrusted;
  }

  #text({ bundle, volumes, lacking }: CheckedSet): string {
    const width = Math.max(...volumes.map(({ file }) => escapeForTerminal(file).length));
    const of =
      bundle && `${escapeForTerminal(bundle.statement.channel)} seq ${bundle.statement.seq}  ${bundle.payload}`;
    const names = lacking.volumes.map(escapeForTerminal).join(', ');
    return [
      ...(of === undefined ? [] : [of]),
      ...volumes.map((volume) => volumeLine(volume, width)),
      lacking.blobs === 0
        ? 'nothing is lacking'
        : `lacking: ${count(lacking.blobs, 'piece')}, ${lacking.bytes} bytes${names === '' ? '' : `: ${names}`}`,
    ].join('\n');
  }
}

function volumeLine({ file, state, blobs, bytes, problem }: CheckedVolume, width: number): string {
  const line = `${escapeForTerminal(file).padEnd(width)}  ${state.padEnd(9)}  ${count(blobs, 'piece')}, ${bytes} bytes`;
  return problem === undefined ? line : `${line}: ${problem}`;
}
