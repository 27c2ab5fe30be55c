import type { Config } from '../config.js';
import { NetworkInterfaceKind, ReadingOrigin } from '../domain/enums.js';
import type { Connection, PollSessionMessage } from '../messaging/contracts.js';

/** Queues that sessions go to: what somebody waits for has one of its own. */
export type SessionQueue = 'amr.scheduled' | 'amr.on_demand';

export type Timings = Pick<Config, 'startByMs' | 'sessionCapMs'>;

/** One claimed run with what its session needs to know. */
export interface ClaimedCall {
  session_id: string;
  organization_id: string;
  attempt: number;
  run_id: string;
  meter_execution_type: string;
  task_call: string;
  task_kwargs: PollSessionMessage['calls'][number]['task_kwargs'];
  resume: PollSessionMessage['calls'][number]['resume'] | null;
  meter_id: string;
  meter_name: string;
  serial_number: string | null;
  protocol_address: string | null;
  manufacturer: string | null;
  model: string | null;
  time_zone: string;
  credentials: Buffer | null;
  kind: NetworkInterfaceKind;
  host: string | null;
  port: number | null;
  serial_path: string | null;
  baud_rate: number | null;
}

/** The messages of the sessions that `calls`, ordered by session, belong to. */
export function sessionMessages(
  queue: SessionQueue,
  calls: readonly ClaimedCall[],
  timings: Timings,
): PollSessionMessage[] {
  return groupBySession(calls).map((session) => toMessage(queue, session, timings));
}

function groupBySession(calls: readonly ClaimedCall[]): ClaimedCall[][] {
  const sessions = new Map<string, ClaimedCall[]>();
  for (const call of calls) {
    const session = sessions.get(call.session_id);
    if (session) session.push(call);
    else sessions.set(call.session_id, [call]);
  }
  return [...sessions.values()];
}

function toMessage(queue: SessionQueue, calls: readonly ClaimedCall[], timings: Timings): PollSessionMessage {
  const first = calls[0]!;
  return {
    version: 1,
    session: first.session_id,
    attempt: first.attempt,
    organization: first.organization_id,
    origin: queue === 'amr.on_demand' ? ReadingOrigin.ON_DEMAND : ReadingOrigin.SCHEDULED,
    meter: {
      id: first.meter_id,
      name: first.meter_name,
      serial_number: first.serial_number ?? undefined,
      protocol_address: first.protocol_address ?? undefined,
      manufacturer: first.manufacturer ?? undefined,
      model: first.model ?? undefined,
      time_zone: first.time_zone,
    },
    connection: connectionOf(first),
    sealed_credentials: first.credentials?.toString('base64'),
    calls: calls.map((call) => ({
      run: call.run_id,
      meter_execution_type: call.meter_execution_type,
      task_call: call.task_call,
      task_kwargs: call.task_kwargs,
      resume: call.resume ?? undefined,
    })),
    start_by_ms: timings.startByMs,
    session_cap_ms: timings.sessionCapMs,
  };
}

function connectionOf(call: ClaimedCall): Connection {
  return call.kind === NetworkInterfaceKind.TCP
    ? { kind: NetworkInterfaceKind.TCP, host: call.host ?? '', port: call.port ?? 0 }
    : { kind: NetworkInterfaceKind.SERIAL, path: call.serial_path ?? '', baud_rate: call.baud_rate ?? undefined };
}
