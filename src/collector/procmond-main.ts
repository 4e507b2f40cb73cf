/** procmond: watches the processes of this machine. Started by the agent; see `procmondArguments`. */
import { procmondProcess } from './procmond-process-io.ts';

await procmondProcess();
