/** The rules of the tour and of the sample bundles, by file name in `rules/linux/`. */
export const BASELINE_RULES = [
  'web-server-spawns-shell.yaml',
  'reverse-shell-command.yaml',
  'runs-from-world-writable-directory.yaml',
  'credential-file-read.yaml',
  'kernel-thread-masquerade.yaml',
] as const;

/** What the second sample bundle adds. */
export const ADDED_RULE = 'log-clearing.yaml';
