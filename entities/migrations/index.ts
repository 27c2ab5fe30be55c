import { Initial } from './0001-initial.js';
import { LargePopulations } from './0002-large-populations.js';
import { Ingestion } from './0003-ingestion.js';
import { Access } from './0004-access.js';
import { Contract } from './0005-contract.js';

/** Applied in this order, forward only. Append; never change one that has been released. */
export const migrations = [
  { name: '0001-initial', class: Initial },
  { name: '0002-large-populations', class: LargePopulations },
  { name: '0003-ingestion', class: Ingestion },
  { name: '0004-access', class: Access },
  { name: '0005-contract', class: Contract },
];
