import type * as keys from '../../src/core/keys.ts';
import type { Order, PruneOrder } from '../../src/ledger/orders.ts';
import type * as pruning from '../../src/ledger/prune-io.ts';
import type * as surroundings from '../../src/ledger/surroundings-io.ts';
import type * as sealing from '../../src/seal/prune-io.ts';
import { compiled } from '../support/compiled.ts';

const { parsePrivateKey } = await compiled<typeof keys>('core/keys.js');
const { pruneLedger } = await compiled<typeof pruning>('ledger/prune-io.js');
const { pruneSealed } = await compiled<typeof sealing>('seal/prune-io.js');
const { systemSurroundings } = await compiled<typeof surroundings>('ledger/surroundings-io.js');

// Prunes the log named on the command line by the approval that follows, with a key as PEM, for a test that kills it.
const [directory = '', approval = '', sealed = '', pem = ''] = process.argv.slice(2);
await pruneLedger({
  directory,
  key: parsePrivateKey(pem),
  approval: JSON.parse(approval) as Order<PruneOrder>,
  minimumAge: 0,
  dropSealed: (before, dropped) => pruneSealed(sealed, before, dropped),
  ...systemSurroundings(),
});
