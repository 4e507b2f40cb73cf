import type { CommandClass } from 'clipanion';
import type { CliContext } from './command.ts';

/** One command: a line for the overview, and how to load it. Nothing of it is loaded until it is called. */
export type CommandEntry = {
  readonly summary: string;
  readonly load: () => Promise<CommandClass<CliContext>>;
};

/** What a noun stands for, in the overview; single words such as `version` need no noun. */
export const NOUNS: Readonly<Record<string, string>> = {
  keys: 'signing keys',
  trust: 'trust roots: which keys hold which role, and how many must agree',
  bundle: 'signed bundles of rules, settings, updates and trust roots',
  release: "other people's releases: who signed them",
  ledger: 'append-only logs and what they prove',
  config: 'settings, and who says so',
  agent: 'the agent that watches this machine',
  alerts: 'what the rules found',
  evidence: 'sealed evidence packages',
  case: 'cases: evidence packages and questions to them',
};

/**
 * Every command, by the words that call it: `noun verb`, or one word. In the order the overview shows them.
 * Each class repeats these words in its `paths`; a test compares the two.
 */
export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  init: {
    summary: 'make the data directory of this host',
    load: async () => (await import('./commands/init.ts')).Init,
  },
  'keys generate': {
    summary: 'make a signing key pair',
    load: async () => (await import('./commands/keys/generate.ts')).KeysGenerate,
  },
  'keys show': {
    summary: 'tell the keyid and public half of a key file',
    load: async () => (await import('./commands/keys/show.ts')).KeysShow,
  },
  'trust init': {
    summary: 'start a trust root, or its next version',
    load: async () => (await import('./commands/trust/init.ts')).TrustInit,
  },
  'trust add-key': {
    summary: 'list a public key in the draft',
    load: async () => (await import('./commands/trust/add-key.ts')).TrustAddKey,
  },
  'trust set-role': {
    summary: 'say which keys hold a role and how many must sign',
    load: async () => (await import('./commands/trust/set-role.ts')).TrustSetRole,
  },
  'trust set-recipients': {
    summary: 'say who can open sealed values',
    load: async () => (await import('./commands/trust/set-recipients.ts')).TrustSetRecipients,
  },
  'trust revoke': {
    summary: 'revoke keys or documents in the draft',
    load: async () => (await import('./commands/trust/revoke.ts')).TrustRevoke,
  },
  'trust sign': {
    summary: 'sign the draft, or a copy of it',
    load: async () => (await import('./commands/trust/sign.ts')).TrustSign,
  },
  'trust finish': {
    summary: 'gather the signatures and make the next version',
    load: async () => (await import('./commands/trust/finish.ts')).TrustFinish,
  },
  'trust show': {
    summary: 'show a trust root, or the one pinned here',
    load: async () => (await import('./commands/trust/show.ts')).TrustShow,
  },
  'trust pin': {
    summary: 'pin a trust root here by its fingerprint',
    load: async () => (await import('./commands/trust/pin.ts')).TrustPin,
  },
  'trust enrol request': {
    summary: "ask that this host's logs be believed elsewhere",
    load: async () => (await import('./commands/trust/enrol-request.ts')).TrustEnrolRequest,
  },
  'trust enrol host': {
    summary: "sign a host's request",
    load: async () => (await import('./commands/trust/enrol-host.ts')).TrustEnrolHost,
  },
  'trust enrol operator': {
    summary: "enrol an operator's keys for roles",
    load: async () => (await import('./commands/trust/enrol-operator.ts')).TrustEnrolOperator,
  },
  'trust enrol sign': {
    summary: 'add a signature to an enrolment',
    load: async () => (await import('./commands/trust/enrol-sign.ts')).TrustEnrolSign,
  },
  'trust enrol accept': {
    summary: 'take in a signed enrolment',
    load: async () => (await import('./commands/trust/enrol-accept.ts')).TrustEnrolAccept,
  },
  'trust floor-reset build': {
    summary: 'correct a time floor that is wrong, once',
    load: async () => (await import('./commands/trust/floor-reset-build.ts')).TrustFloorResetBuild,
  },
  'trust floor-reset sign': {
    summary: 'add a signature to a floor reset',
    load: async () => (await import('./commands/trust/floor-reset-sign.ts')).TrustFloorResetSign,
  },
  'trust floor-reset accept': {
    summary: 'take in a floor reset',
    load: async () => (await import('./commands/trust/floor-reset-accept.ts')).TrustFloorResetAccept,
  },
  'bundle build': {
    summary: 'build an unsigned bundle, reproducibly',
    load: async () => (await import('./commands/bundle/build.ts')).BundleBuild,
  },
  'bundle sign': {
    summary: 'add a signature to a bundle',
    load: async () => (await import('./commands/bundle/sign.ts')).BundleSign,
  },
  'bundle pack': {
    summary: 'pack a bundle into one file for a stick',
    load: async () => (await import('./commands/bundle/pack.ts')).BundlePack,
  },
  'bundle split': {
    summary: 'cut a bundle into volumes that fit a medium',
    load: async () => (await import('./commands/bundle/split.ts')).BundleSplit,
  },
  'bundle volumes': {
    summary: 'look which volumes are sound, and which are lacking',
    load: async () => (await import('./commands/bundle/volumes.ts')).BundleVolumes,
  },
  'bundle join': {
    summary: 'put volumes together into one file',
    load: async () => (await import('./commands/bundle/join.ts')).BundleJoin,
  },
  'bundle delta': {
    summary: 'leave out what an enclave holds already',
    load: async () => (await import('./commands/bundle/delta.ts')).BundleDelta,
  },
  'bundle inspect': {
    summary: 'look into a bundle without trusting it',
    load: async () => (await import('./commands/bundle/inspect.ts')).BundleInspect,
  },
  'bundle diff': {
    summary: 'tell what changes from one bundle to another',
    load: async () => (await import('./commands/bundle/diff.ts')).BundleDiff,
  },
  'bundle verify': {
    summary: 'check a bundle and say whether it is trusted',
    load: async () => (await import('./commands/bundle/verify.ts')).BundleVerify,
  },
  'bundle apply': {
    summary: 'verify a bundle and make it the active one',
    load: async () => (await import('./commands/bundle/apply.ts')).BundleApply,
  },
  'bundle status': {
    summary: 'tell what is active, waiting, stale and to be done, on one screen',
    load: async () => (await import('./commands/bundle/status.ts')).BundleStatus,
  },
  'bundle list': {
    summary: 'list what is active here',
    load: async () => (await import('./commands/bundle/list.ts')).BundleList,
  },
  'bundle rollback': {
    summary: 'go back to the bundle that was active before',
    load: async () => (await import('./commands/bundle/rollback.ts')).BundleRollback,
  },
  'bundle receipt': {
    summary: 'write a signed receipt to carry out',
    load: async () => (await import('./commands/bundle/receipt.ts')).BundleReceipt,
  },
  'bundle heads build': {
    summary: 'say what is newest, in answer to receipts',
    load: async () => (await import('./commands/bundle/heads-build.ts')).BundleHeadsBuild,
  },
  'bundle heads sign': {
    summary: 'add a signature to a heads statement',
    load: async () => (await import('./commands/bundle/heads-sign.ts')).BundleHeadsSign,
  },
  'bundle heads accept': {
    summary: 'take in an answer to a receipt',
    load: async () => (await import('./commands/bundle/heads-accept.ts')).BundleHeadsAccept,
  },
  'bundle downgrade build': {
    summary: 'allow going back to an older bundle, once',
    load: async () => (await import('./commands/bundle/downgrade-build.ts')).BundleDowngradeBuild,
  },
  'bundle downgrade sign': {
    summary: 'add a signature to a downgrade',
    load: async () => (await import('./commands/bundle/downgrade-sign.ts')).BundleDowngradeSign,
  },
  'release verify': {
    summary: "check somebody else's release, offline",
    load: async () => (await import('./commands/release/verify.ts')).ReleaseVerify,
  },
  'release roots add': {
    summary: 'pin a file that releases are judged by, in the draft',
    load: async () => (await import('./commands/release/roots-add.ts')).ReleaseRootsAdd,
  },
  'release roots remove': {
    summary: 'take a pinned file out of the draft',
    load: async () => (await import('./commands/release/roots-remove.ts')).ReleaseRootsRemove,
  },
  'release roots list': {
    summary: 'list what releases are judged by, and until when',
    load: async () => (await import('./commands/release/roots-list.ts')).ReleaseRootsList,
  },
  'release roots update': {
    summary: 'tell what newer trust roots changed of it',
    load: async () => (await import('./commands/release/roots-update.ts')).ReleaseRootsUpdate,
  },
  'release conformance verify-bundle': {
    summary: "verify a sigstore bundle as sigstore's conformance suite asks",
    load: async () => (await import('./commands/release/conformance-verify-bundle.ts')).ReleaseConformanceVerifyBundle,
  },
  'ledger status': {
    summary: 'tell size, head and key of a log',
    load: async () => (await import('./commands/ledger/status.ts')).LedgerStatus,
  },
  'ledger verify': {
    summary: 'check a log from its first line',
    load: async () => (await import('./commands/ledger/verify.ts')).LedgerVerify,
  },
  'ledger prove': {
    summary: 'prove what is in a log, and what is withheld',
    load: async () => (await import('./commands/ledger/prove.ts')).LedgerProve,
  },
  'ledger check-proof': {
    summary: 'check such a proof, without the log',
    load: async () => (await import('./commands/ledger/check-proof.ts')).LedgerCheckProof,
  },
  'ledger hold': {
    summary: 'put lines of a log under a legal hold, as an approver ordered',
    load: async () => (await import('./commands/ledger/hold.ts')).LedgerHold,
  },
  'ledger release': {
    summary: 'end a legal hold, as an approver ordered',
    load: async () => (await import('./commands/ledger/release.ts')).LedgerRelease,
  },
  'ledger approve': {
    summary: 'stand behind an order that somebody else wrote about a log',
    load: async () => (await import('./commands/ledger/approve.ts')).LedgerApprove,
  },
  'ledger prune': {
    summary: 'drop the oldest lines of a log, as an approver ordered',
    load: async () => (await import('./commands/ledger/prune.ts')).LedgerPrune,
  },
  'ledger redact': {
    summary: 'destroy a sealed value as an approver ordered, with an entry that says so',
    load: async () => (await import('./commands/ledger/redact.ts')).LedgerRedact,
  },
  'ledger rotate': {
    summary: 'change the key of a log',
    load: async () => (await import('./commands/ledger/rotate.ts')).LedgerRotate,
  },
  'ledger checkpoint': {
    summary: 'print the newest signed checkpoint of a log',
    load: async () => (await import('./commands/ledger/checkpoint.ts')).LedgerCheckpoint,
  },
  'ledger consistency': {
    summary: 'prove that one state of a log extends another',
    load: async () => (await import('./commands/ledger/consistency.ts')).LedgerConsistency,
  },
  'ledger export': {
    summary: 'write a sha256 log as C2SP tiles',
    load: async () => (await import('./commands/ledger/export.ts')).LedgerExport,
  },
  'ledger witness init': {
    summary: 'make a witness with a key of its own',
    load: async () => (await import('./commands/ledger/witness-init.ts')).LedgerWitnessInit,
  },
  'ledger witness watch': {
    summary: 'begin to watch a log, by its fingerprint',
    load: async () => (await import('./commands/ledger/witness-watch.ts')).LedgerWitnessWatch,
  },
  'ledger witness request': {
    summary: 'ask a witness to cosign a log',
    load: async () => (await import('./commands/ledger/witness-request.ts')).LedgerWitnessRequest,
  },
  'ledger witness cosign': {
    summary: 'check that a log only grew, and cosign it',
    load: async () => (await import('./commands/ledger/witness-cosign.ts')).LedgerWitnessCosign,
  },
  'ledger witness accept': {
    summary: 'take in what a witness cosigned',
    load: async () => (await import('./commands/ledger/witness-accept.ts')).LedgerWitnessAccept,
  },
  'ledger witness show': {
    summary: 'tell what a witness has seen',
    load: async () => (await import('./commands/ledger/witness-show.ts')).LedgerWitnessShow,
  },
  'config show': {
    summary: 'show every setting and who says so',
    load: async () => (await import('./commands/config/show.ts')).ConfigShow,
  },
  'config check': {
    summary: 'check a file of settings',
    load: async () => (await import('./commands/config/check.ts')).ConfigCheck,
  },
  'agent run': {
    summary: 'watch this machine and raise alerts',
    load: async () => (await import('./commands/agent/run.ts')).AgentRun,
  },
  'agent status': {
    summary: 'tell how the agent is doing',
    load: async () => (await import('./commands/agent/status.ts')).AgentStatus,
  },
  'agent stop': {
    summary: 'end the agent',
    load: async () => (await import('./commands/agent/stop.ts')).AgentStop,
  },
  'alerts list': {
    summary: 'list what the rules found',
    load: async () => (await import('./commands/alerts/list.ts')).AlertsList,
  },
  'alerts show': {
    summary: 'tell all of one alert',
    load: async () => (await import('./commands/alerts/show.ts')).AlertsShow,
  },
  query: {
    summary: 'ask the event store of the running agent',
    load: async () => (await import('./commands/query.ts')).Query,
  },
  'evidence export': {
    summary: 'export a trace or ranges as one sealed package',
    load: async () => (await import('./commands/evidence/export.ts')).EvidenceExport,
  },
  'evidence verify': {
    summary: 'check an evidence package and say whether it is trusted',
    load: async () => (await import('./commands/evidence/verify.ts')).EvidenceVerify,
  },
  'case create': {
    summary: 'make an empty case',
    load: async () => (await import('./commands/case/create.ts')).CaseCreate,
  },
  'case add': {
    summary: 'verify an evidence package and add it to a case',
    load: async () => (await import('./commands/case/add.ts')).CaseAdd,
  },
  'case list': {
    summary: 'list the cases here',
    load: async () => (await import('./commands/case/list.ts')).CaseList,
  },
  'case query': {
    summary: 'ask a case one SELECT',
    load: async () => (await import('./commands/case/query.ts')).CaseQuery,
  },
  'case lineage': {
    summary: 'print the processes of a case as a tree',
    load: async () => (await import('./commands/case/lineage.ts')).CaseLineage,
  },
  hunt: {
    summary: 'look through a case on the terminal',
    load: async () => (await import('./commands/hunt.ts')).Hunt,
  },
  completions: {
    summary: 'print a completion script for a shell',
    load: async () => (await import('./commands/completions.ts')).Completions,
  },
  version: {
    summary: 'tell what is running here',
    load: async () => (await import('./commands/version.ts')).Version,
  },
};
