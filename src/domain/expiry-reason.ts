import type { MeterErrorCode } from '../errors.js';

/** What holds at the deadline of a run that no session carried to an end. */
export interface ExpiryFacts {
  /** How often it was sent to the pollers, and what the last try said. */
  attempts: number;
  lastCode: MeterErrorCode | null;
  lastMessage: string | null;
  credentialsRejected: boolean;
  retired: boolean;
  hasInterface: boolean;
  /** Whether a poller that takes the run's queue has been heard of lately. */
  hasWorker: boolean;
  /** Sessions in a row that did not reach the interface, when it is held for that; else 0. */
  unreachableSessions: number;
  unreachableMessage: string | null;
  interfaceBusy: boolean;
  segmentFull: boolean;
}

/** Why a run expired, and what to do: of the reasons that hold, the one to mend first. */
export function expiryReason(facts: ExpiryFacts): { code: MeterErrorCode; message: string } {
  // Tries that no poller took say no more than that.
  if (facts.attempts > 0 && (facts.hasWorker || facts.lastCode !== 'LOST')) {
    const tries = facts.attempts === 1 ? 'one try' : `${facts.attempts} tries`;
    return {
      code: facts.lastCode ?? 'EXPIRED',
      message: `the deadline passed after ${tries}; the last one said: ${facts.lastMessage ?? 'nothing'}`,
    };
  }
  if (facts.credentialsRejected) {
    return {
      code: 'CREDENTIALS_REJECTED',
      message: 'the meter refused its credentials before; give it new ones, or clear the rejection',
    };
  }
  if (facts.retired) return { code: 'EXPIRED', message: 'the meter was retired before the run began' };
  if (!facts.hasInterface) {
    return { code: 'NO_INTERFACE', message: 'the meter has no network interface to reach it by; give it one' };
  }
  if (!facts.hasWorker) {
    return { code: 'NO_WORKER', message: 'the deadline passed and no poller runs that takes this queue; start one' };
  }
  if (facts.unreachableSessions > 0) {
    return {
      code: 'CIRCUIT_OPEN',
      message:
        `the deadline passed while the network interface was held back, as ${facts.unreachableSessions} sessions in a row ` +
        `did not reach it; the last one said: ${facts.unreachableMessage ?? 'nothing'}`,
    };
  }
  if (facts.interfaceBusy) {
    return {
      code: 'INTERFACE_BUSY',
      message: 'the deadline passed while the network interface was busy with other sessions; plan fewer runs on it',
    };
  }
  if (facts.segmentFull) {
    return {
      code: 'SEGMENT_FULL',
      message:
        'the deadline passed while the segment held as many sessions as it may; raise its limits or plan fewer runs',
    };
  }
  return {
    code: 'EXPIRED',
    message: 'the deadline passed before its turn came: more was due than the pollers carried; add sessions or pollers',
  };
}
