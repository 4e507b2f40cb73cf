import type { Digest } from './digest.ts';
import type { Envelope } from './dsse.ts';
import type { KeyId } from './keys.ts';
import type { Time } from './time.ts';

/**
 * What the lines of a log say: `data` by `type`. The contract is schemas/event.schema.json, which also says what each
 * field means; these are its types for code that writes events. Names follow ECS, flattened with `_`.
 */

/** `host:boot:pid:start`; see `formatEntity`. */
export type Entity = string;
/** A 64-bit number in decimal: it can pass 2^53. */
export type U64 = string;
/** Base64 of the exact bytes of a name that is not UTF-8; the field without `_raw` is then a lossy reading. */
export type Raw = string;
/** Unix milliseconds. */
export type Milliseconds = number;
/** An envelope as it stands in a line: base64 text, not bytes. */
export type EmbeddedEnvelope = {
  readonly payloadType: Envelope['payloadType'];
  readonly payload: string;
  readonly signatures: readonly { readonly keyid: KeyId; readonly sig: string }[];
};
export type SecretState = 'captured' | 'lost' | 'denied';
export type Severity = 'informational' | 'low' | 'medium' | 'high' | 'critical';
export type LineReference = { readonly origin: string; readonly seq: number };

/** On everything a collector saw. `lost` and `denied` name absent fields: gone in time, or not permitted. */
export type Observed = {
  readonly event_provider?: string;
  readonly lost?: readonly string[];
  readonly denied?: readonly string[];
  readonly trace_id?: string;
  readonly tseq?: number;
  readonly tprev?: Digest;
};

/** Which process did it; without an entity when its start time could not be learned. */
export type Subject = {
  readonly entity?: Entity;
  readonly process_pid?: number;
  readonly process_name?: string;
  readonly process_name_raw?: Raw;
  readonly user_id?: string;
  readonly container_id?: string;
};

export type ProcessData = Observed &
  Subject & {
    readonly entity: Entity;
    readonly process_pid: number;
    readonly process_start?: Milliseconds;
    readonly parent_entity?: Entity;
    readonly process_parent_pid?: number;
    readonly creator_entity?: Entity;
    readonly process_executable?: string;
    readonly process_executable_raw?: Raw;
    readonly process_executable_state?: 'file' | 'deleted' | 'replaced' | 'memory' | 'none';
    readonly process_executable_inode?: U64;
    readonly process_executable_device?: U64;
    readonly process_hash_sha256?: string;
    readonly process_hash_blake3?: string;
    readonly process_working_directory?: string;
    readonly process_working_directory_raw?: Raw;
    readonly process_tty?: string;
    readonly process_session_leader_pid?: number;
    readonly process_group_leader_pid?: number;
    readonly user_name?: string;
    readonly real_user_id?: string;
    readonly group_id?: string;
    readonly real_group_id?: string;
    readonly process_cgroup?: string;
    readonly process_cgroup_raw?: Raw;
    readonly process_args_count?: number;
    readonly argv_mask?: string;
    readonly argv_commit?: Digest;
    readonly argv_state: SecretState;
    readonly env_mask?: string;
    readonly env_commit?: Digest;
    readonly env_state?: SecretState;
    readonly process_tracer_pid?: number;
    readonly process_memory_wx_regions?: number;
    readonly process_memory_anonymous_exec_regions?: number;
    readonly process_memory_deleted_exec_regions?: number;
  };

export type ProcessExecData = ProcessData & {
  readonly process_previous_executable?: string;
  readonly process_previous_executable_raw?: Raw;
};

export type ProcessExitData = Observed &
  Subject & {
    readonly process_pid: number;
    readonly process_exit_code?: number;
    readonly process_exit_signal?: number;
    readonly process_end?: Milliseconds;
  };

/** Source is the side that asked, destination the side that listened, whichever of them is this host (ECS). */
export type NetworkData = Observed &
  Subject & {
    readonly network_transport: 'tcp' | 'udp' | 'sctp' | 'other';
    readonly network_type: 'ipv4' | 'ipv6';
    readonly network_direction?: 'egress' | 'ingress' | 'unknown';
    readonly source_ip?: string;
    readonly source_port?: number;
    readonly destination_ip?: string;
    readonly destination_port?: number;
    readonly network_namespace?: U64;
    readonly socket_inode?: U64;
    readonly socket_cookie?: U64;
  };

type Destination = { readonly destination_ip: string; readonly destination_port: number };
type Source = { readonly source_ip: string; readonly source_port: number };

export type FileData = Observed &
  Subject & {
    readonly file_path: string;
    readonly file_path_raw?: Raw;
    readonly file_inode?: U64;
    readonly file_device?: U64;
    readonly file_size?: U64;
    readonly file_mode?: string;
    readonly file_uid?: string;
    readonly file_gid?: string;
  };

export type AlertRaisedData = {
  readonly alert_id: string;
  readonly rule_id: string;
  readonly rule_version: number;
  readonly rule_name?: string;
  readonly rule_severity: Severity;
  readonly bundle?: Digest;
  readonly threats?: readonly { readonly tactic: string; readonly technique: string }[];
  readonly completeness: 'full' | 'partial';
  readonly missing?: readonly string[];
  readonly dedup_key?: string;
  readonly entity?: Entity;
  readonly process_pid?: number;
  readonly process_name?: string;
  readonly fields?: { readonly [column: string]: string | number | null };
  readonly evidence?: readonly LineReference[];
  readonly started_trace?: string;
};

type Judged = { readonly alert_id: string; readonly document?: EmbeddedEnvelope };

export type TraceStartData = Observed & {
  readonly trace_id: string;
  readonly entity: Entity;
  readonly depth: number;
  readonly capture: { readonly cmdlines: boolean; readonly network: boolean; readonly files: boolean };
  readonly max: { readonly seconds: number; readonly events: number; readonly bytes: number };
  readonly cause: 'command' | 'rule';
  readonly reason: string;
  readonly document?: EmbeddedEnvelope;
  readonly rule_id?: string;
  readonly alert_id?: string;
};

export type TrustData = {
  readonly version: number;
  readonly payload: Digest;
  readonly expires: Time;
  readonly floor: Time;
};

/** A medium between two sides of a gap: where it was mounted, and what it says of itself. Nothing rests on it. */
export type MediumData = {
  readonly mount_point: string;
  readonly file_system: string;
  readonly device?: string;
  readonly removable?: boolean;
  /** null: it has none, or the system doesn't know it. */
  readonly serial: string | null;
  readonly uuid?: string;
  readonly label?: string;
};

/** What something came on, or was about to leave on. */
export type CarriedData = {
  readonly media?: readonly MediumData[];
  /** Further ones that a line has no room for. */
  readonly media_omitted?: number;
};

export type CollectorStartData = {
  readonly collector_name: string;
  readonly collector_version: string;
  readonly capabilities: readonly string[];
  readonly sources: readonly {
    readonly name: string;
    readonly state: 'active' | 'standby' | 'unavailable';
    readonly reason?: string;
  }[];
  readonly entity?: Entity;
  readonly process_pid?: number;
  readonly host_os_type?: string;
  readonly host_os_kernel?: string;
  readonly host_architecture?: string;
  readonly clock_ticks_per_second?: number;
};

export type CollectorGapData = Observed & {
  readonly collector_name?: string;
  readonly cause: 'shed' | 'overrun' | 'denied' | 'unavailable' | 'stopped' | 'limit';
  readonly types?: readonly string[];
  readonly count?: number;
  readonly from_ts?: Milliseconds;
  readonly to_ts?: Milliseconds;
  readonly entity?: Entity;
  readonly reason?: string;
};

/** Base64 of a Merkle root, as in a checkpoint. */
type CheckpointData = { readonly size: number; readonly root: string; readonly note?: string };

type ClockJumpData = { readonly clock: 'ts' | 'mono'; readonly from: number; readonly to: number };

/** `data` by `type`: every event there is. */
export type EventData = {
  readonly 'process.start': ProcessData;
  readonly 'process.exec': ProcessExecData;
  readonly 'process.exit': ProcessExitData;
  readonly 'process.snapshot': ProcessData;
  readonly 'network.connect': NetworkData & Destination;
  readonly 'network.accept': NetworkData & Source & Destination;
  readonly 'network.close': NetworkData & { readonly source_bytes?: U64; readonly destination_bytes?: U64 };
  readonly 'network.listen': NetworkData & Destination;
  readonly 'file.open': FileData & { readonly file_access?: 'read' | 'write' | 'read-write' };
  readonly 'file.create': FileData;
  readonly 'file.rename': FileData & { readonly file_previous_path?: string; readonly file_previous_path_raw?: Raw };
  readonly 'file.unlink': FileData;
  readonly 'alert.raised': AlertRaisedData;
  readonly 'alert.repeated': {
    readonly alert_id: string;
    readonly count: number;
    readonly evidence?: readonly LineReference[];
  };
  readonly 'alert.acknowledged': Judged & { readonly reason?: string };
  readonly 'alert.closed': Judged & {
    readonly resolution: 'true-positive' | 'false-positive' | 'benign' | 'undetermined';
    readonly reason: string;
  };
  readonly 'alert.undelivered': { readonly alert_id: string; readonly sink: string; readonly reason: string };
  readonly 'alert.rule-degraded': {
    readonly rule_id: string;
    readonly rule_version?: number;
    readonly missing: readonly string[];
  };
  readonly 'alert.rule-quarantined': {
    readonly rule_id: string;
    readonly rule_version?: number;
    readonly code: string;
    readonly reason: string;
  };
  readonly 'trace.start': TraceStartData;
  readonly 'trace.limit': Observed & {
    readonly trace_id: string;
    readonly limit: 'seconds' | 'events' | 'bytes' | 'rate' | 'depth' | 'instances';
    readonly dropped?: number;
  };
  readonly 'trace.stop': Observed & {
    readonly trace_id: string;
    readonly cause: 'command' | 'limit' | 'exited' | 'shutdown' | 'failed';
    readonly tcount: number;
    readonly thead: Digest;
    readonly reason?: string;
  };
  readonly 'operator.command': {
    readonly operator: string;
    readonly action: string;
    readonly document: EmbeddedEnvelope;
  };
  readonly 'operator.approval': {
    readonly operator: string;
    readonly command: Digest;
    readonly document: EmbeddedEnvelope;
  };
  readonly 'operator.refused': {
    readonly operator?: string;
    readonly action: string;
    readonly code: string;
    readonly reason: string;
    readonly command?: Digest;
  };
  readonly 'operator.action': {
    readonly operator?: string;
    readonly action: string;
    readonly subject?: string;
    readonly digest?: Digest;
    readonly reason?: string;
  };
  readonly 'bundle.applied': {
    readonly channel: string;
    readonly seq: number;
    readonly payload: Digest;
    readonly kind: string;
    readonly prev_active?: Digest;
    readonly root_version: number;
    readonly floor: Time;
    readonly files: number;
    readonly bytes: number;
    readonly signers: readonly KeyId[];
  } & CarriedData;
  readonly 'bundle.refused': {
    readonly check: string;
    readonly code: string;
    readonly reason: string;
    readonly payload?: Digest;
    readonly channel?: string;
    readonly seq?: number;
    readonly floor?: Time;
  } & CarriedData;
  readonly 'bundle.rolled-back': {
    readonly channel: string;
    readonly seq: number;
    readonly payload: Digest;
    readonly from_seq: number;
    readonly from_payload: Digest;
    readonly root_version?: number;
    readonly floor?: Time;
    readonly reason: string;
    readonly operator?: string;
    readonly signers?: readonly KeyId[];
    readonly document?: EmbeddedEnvelope;
  } & CarriedData;
  readonly 'bundle.revoked': {
    readonly channel: string;
    readonly seq: number;
    readonly payload: Digest;
    readonly code: 'PAYLOAD_REVOKED' | 'KEY_REVOKED';
    readonly reason: string;
    readonly root_version: number;
  };
  readonly 'trust.pinned': TrustData & { readonly fingerprint?: Digest };
  readonly 'trust.rotated': TrustData;
  readonly 'receipt.issued': { readonly nonce: string } & CarriedData;
  readonly 'heads.accepted': {
    readonly payload: Digest;
    readonly nonces: readonly string[];
    readonly issued_at: Time;
    readonly expires: Time;
    readonly root_version: number;
    readonly floor: Time;
    readonly document: EmbeddedEnvelope;
  };
  readonly 'floor.reset': {
    readonly payload: Digest;
    readonly nonce: string;
    readonly from: Time;
    readonly floor: Time;
    readonly reason: string;
    readonly root_version: number;
    readonly document: EmbeddedEnvelope;
  };
  readonly 'floor.raised': {
    readonly from: Time;
    readonly floor: Time;
    readonly cause: 'witness' | 'enrolment';
    readonly payload?: Digest;
    readonly witnesses?: readonly KeyId[];
    readonly root_version: number;
  };
  readonly 'statement.refused': {
    readonly statement: 'heads' | 'downgrade' | 'floor-reset' | 'enrolment';
    readonly code: string;
    readonly reason: string;
    readonly payload?: Digest;
  };
  readonly 'collector.start': CollectorStartData;
  readonly 'collector.stop': {
    readonly collector_name: string;
    readonly cause: 'command' | 'shutdown' | 'signal' | 'failed';
    readonly reason?: string;
    readonly events?: number;
  };
  readonly 'collector.gap': CollectorGapData;
  readonly 'log.recovery': {
    readonly adopted: number;
    readonly heads: readonly ('a' | 'b')[];
    readonly lost: number;
    readonly torn: readonly { readonly bytes: number; readonly digest: Digest; readonly name: string }[];
    readonly tornPieces: number;
    readonly tree: number;
    readonly clock?: ClockJumpData;
  };
  readonly 'log.rotate': { readonly from_kid: KeyId; readonly to_kid: KeyId; readonly document: EmbeddedEnvelope };
  readonly 'log.checkpoint': CheckpointData & { readonly origin?: string };
  readonly 'log.redact': {
    readonly seq: number;
    readonly commit: Digest;
    readonly reason: string;
    readonly operator?: string;
    readonly document?: EmbeddedEnvelope;
  };
  readonly 'log.prune': {
    readonly from: number;
    readonly to: number;
    readonly keeps: 'tree' | 'roots';
    readonly document: EmbeddedEnvelope;
    readonly reason?: string;
  };
  readonly 'log.hold': {
    readonly from: number;
    readonly to?: number;
    readonly reason: string;
    readonly operator: string;
    readonly document: EmbeddedEnvelope;
  };
  readonly 'log.release': {
    readonly hold: number;
    readonly reason: string;
    readonly operator: string;
    readonly document: EmbeddedEnvelope;
  };
  readonly 'log.anchor': CheckpointData & { readonly origin: string };
  readonly 'clock.jump': ClockJumpData;
};

export type EventType = keyof EventData;
