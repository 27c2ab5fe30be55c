import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FaultScript, type MeterFault, type Transmission } from './faults.js';
import type { Lis200Meter } from './lis200-meter.js';
import { INPUT_LIMIT, Lis200Session } from './lis200-session.js';

/** A meter hangs up when it hears nothing for this long. */
const INACTIVITY_MS = 60_000;
/** How long a newcomer waits for a predecessor that is hanging up: the two events may arrive in either order. */
const HANDOVER_MS = 250;
/** Turns of the event loop from the last byte of a connection to its `close`, and some to spare. */
const HANDOVER_TURNS = 5;
/** Answers a head-end may leave unread before it is hung up on. */
const OUTPUT_LIMIT = 4 * 1024 * 1024;
/** Connections the port holds at once, served or about to be refused. */
const MAX_CONNECTIONS = 8;

/** What all ports of a fleet count together. */
export interface FleetCounters {
  connections: number;
  /** Sign-ons that reached programming mode. */
  sessions: number;
  /** NAKs and error telegrams sent. */
  errors: number;
  /** Connections hung up because another one was open: a head-end that keeps to one session per meter causes none. */
  overlaps: number;
  /** 1, or 2 once an overlap was seen. */
  maxConcurrentPerMeter: number;
}

/** What one port saw. To a head-end a port is a network interface. */
export interface PortCounters {
  connections: number;
  overlaps: number;
}

export interface PortMeter {
  meter: Lis200Meter;
  fault?: MeterFault;
  /** What the meter's next answer is late by, in milliseconds. @default none, or what a constant `delay` says */
  delayMs?: () => number;
}

/** A TCP port with one meter behind it, or with several that share a line, as behind a gateway. Serves one connection at a time. */
export class MeterPort {
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private active: Socket | undefined;
  readonly counted: PortCounters = { connections: 0, overlaps: 0 };

  constructor(
    private readonly meters: readonly PortMeter[],
    private readonly counters: FleetCounters,
    private readonly now: () => number,
  ) {
    this.server = createServer({ noDelay: true }, (socket) => void this.accept(socket));
    this.server.maxConnections = MAX_CONNECTIONS;
  }

  /** Listens, on any free port for 0, and resolves with the port. */
  async listen(host: string, port: number): Promise<number> {
    this.server.listen(port, host);
    await once(this.server, 'listening');
    return (this.server.address() as AddressInfo).port;
  }

  /** Hangs up on everybody and frees the port. */
  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    if (!this.server.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    await closed;
  }

  has(kind: MeterFault['kind']): boolean {
    return this.meters.some(({ fault }) => fault?.kind === kind);
  }

  private async accept(socket: Socket): Promise<void> {
    this.counters.connections++;
    this.counted.connections++;
    this.sockets.add(socket);
    // A reset by the head-end is no event for a meter: 'close' follows and does what is needed.
    socket.on('error', () => undefined);
    socket.once('close', () => this.sockets.delete(socket));
    if ((await this.takeOver(socket)) && !this.has('busy')) this.serve(socket);
    else socket.destroy();
  }

  /** Makes `socket` the one served, unless another still is after a moment, or `socket` is gone by then. */
  private async takeOver(socket: Socket): Promise<boolean> {
    if (this.active) {
      const timeout = AbortSignal.timeout(HANDOVER_MS);
      await once(this.active, 'close', { signal: timeout }).catch(() => undefined);
      // After a stall the time is up before the event is looked at that was there first: one more look for it.
      for (let turn = 0; this.active && turn < HANDOVER_TURNS; turn++) await nextTurn();
    }
    if (socket.destroyed) return false;
    this.counters.maxConcurrentPerMeter = Math.max(this.counters.maxConcurrentPerMeter, this.active ? 2 : 1);
    if (this.active) {
      this.counters.overlaps++;
      this.counted.overlaps++;
      return false;
    }
    // Claimed without a wait since the check: two newcomers may have waited for the same predecessor.
    this.active = socket;
    socket.once('close', () => (this.active = undefined));
    return true;
  }

  private serve(socket: Socket): void {
    const session = new Lis200Session(this.meters.map(({ meter }) => meter));
    // Of a thousand meters on the line few are spoken to on one connection.
    const scripts = new Map<Lis200Meter, FaultScript>();
    const scriptOf = (meter: Lis200Meter): FaultScript => {
      let script = scripts.get(meter);
      if (!script) {
        const { fault, delayMs } = this.meters.find((behind) => behind.meter === meter) ?? {};
        scripts.set(meter, (script = new FaultScript(fault, delayMs)));
      }
      return script;
    };
    const timers = new Set<NodeJS.Timeout>();
    // In order, whatever the delays: a short one does not overtake a long one.
    const waiting: Transmission[] = [];
    socket.setTimeout(INACTIVITY_MS, () => socket.destroy());
    socket.once('close', () => timers.forEach(clearTimeout));
    socket.on('data', (bytes) => {
      if (bytes.length > INPUT_LIMIT || socket.writableLength > OUTPUT_LIMIT) return void socket.destroy();
      for (const answer of session.receive(bytes, this.now())) {
        if (answer.kind === 'opening') this.counters.sessions++;
        if (answer.kind === 'refusal') this.counters.errors++;
        const transmission = session.meter && scriptOf(session.meter).transmit(answer);
        if (!transmission) continue;
        if (transmission.delayMs === 0 && waiting.length === 0) {
          transmit(socket, transmission);
        } else {
          waiting.push(transmission);
          const timer = setTimeout(() => {
            timers.delete(timer);
            const next = waiting.shift();
            if (next) transmit(socket, next);
          }, transmission.delayMs);
          timers.add(timer);
        }
      }
    });
  }
}

function transmit(socket: Socket, { bytes, hangUp }: Transmission): void {
  if (socket.destroyed) return;
  if (hangUp) socket.end(bytes, () => socket.destroy());
  else socket.write(bytes);
}
