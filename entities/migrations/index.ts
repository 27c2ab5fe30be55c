import { Initial } from './0001-initial.js';

/** Applied in this order, forward only. Append; never change one that has been released. */
export const migrations = [{ name: '0001-initial', class: Initial }];
