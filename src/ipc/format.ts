/** Every magic value of the protocol in proto/ipc.proto. */

export const PROTOCOL_VERSION = 1;

/** Bytes of one message. A length is believed only up to here: it decides how much a peer can make us keep. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/** The descriptor on which a collector finds the agent. */
export const AGENT_DESCRIPTOR = 3;

/** Bytes of the signed note in an Anchor: more than any checkpoint with its cosignatures, and it fits into a line. */
export const MAX_ANCHOR_BYTES = 16_384;
