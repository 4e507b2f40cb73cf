import type { BlobSink } from './blob-receiver.ts';

/**
 * The same sink, watched: 16 GiB must not keep somebody waiting who has pressed Ctrl-C.
 * @param onBytes told how many bytes are about to be written; may throw to end the work
 */
export function watchedSink(sink: BlobSink, onBytes: (bytes: number) => void): BlobSink {
  return {
    ...sink,
    async open(sha256, size) {
      const slot = await sink.open(sha256, size);
      return {
        ...slot,
        async write(chunk) {
          onBytes(chunk.length);
          await slot.write(chunk);
        },
      };
    },
  };
}
