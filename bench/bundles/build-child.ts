/** `node build-child.ts SOURCE OUT`: builds a bundle as `bundle build` does, without its check of rules. */
import { buildBundle } from '../../src/bundle/build-io.ts';
import { benchRoot } from './data.ts';

const [source = '', out = ''] = process.argv.slice(2);
await buildBundle({
  source,
  out,
  kind: 'rules',
  channel: 'rules/bench',
  seq: 1,
  prev: null,
  audience: [],
  issuedAt: '2027-01-01T00:00:00.000Z',
  builder: { name: 'bench', version: '0.0.0' },
  requires: {},
  rootChain: [benchRoot()],
});
