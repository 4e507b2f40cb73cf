import { RangeAudit, type RangeAuditParts } from '../../ledger/range-audit.ts';
import { describeLog, type LogPlace } from './layout.ts';

/** The audit of lines.ndjson of one log in a package. */
export class LogAudit extends RangeAudit {
  readonly place: LogPlace;

  constructor({ place, ...parts }: Omit<RangeAuditParts, 'name'> & { readonly place: LogPlace }) {
    super({ ...parts, name: describeLog(place) });
    this.place = place;
  }
}
