import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { startFleet, type Fleet, type FleetMeter, type FleetOptions } from '../../src/simulators/fleet.js';
import type { WorkerContext } from '../../src/lifecycle.js';
import { simulation } from '../../src/simulators/simulation.js';

const HOUR_MS = 3_600_000;
const NOW = Date.parse('2026-01-31T11:20:00Z');
const SIGN_ON = Buffer.from('/?!\r\n');
const OPTION = Buffer.from('\x06061\r\n');

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function fleetOf(options: Partial<FleetOptions>): Promise<Fleet> {
  const fleet = await startFleet({ meters: 1, now: () => NOW, installedAt: NOW - 6 * HOUR_MS, ...options });
  cleanups.push(() => fleet.stop());
  return fleet;
}

/** A client on a bare socket: it shares no protocol code with the simulator and counts the BCC itself. */
class RawClient {
  private received = Buffer.alloc(0);
  private wake = () => {};
  closed = false;
  /** Resolves once the other side is gone, however it went. */
  readonly hungUp: Promise<void>;

  private constructor(readonly socket: Socket) {
    socket.on('data', (bytes: Buffer) => {
      this.received = Buffer.concat([this.received, bytes]);
      this.wake();
    });
    socket.on('error', () => undefined);
    this.hungUp = new Promise((resolve) => {
      socket.on('close', () => {
        this.closed = true;
        this.wake();
        resolve();
      });
    });
  }

  static async open(meter: FleetMeter): Promise<RawClient> {
    const socket = connect(meter.port, meter.host);
    cleanups.push(async () => socket.destroy());
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  /** The next `length(received)` bytes, once it tells a number. Rejects when the meter hangs up or says nothing for a while. */
  private async take(length: (received: Buffer) => number | undefined): Promise<Buffer> {
    const deadline = AbortSignal.timeout(2000);
    for (;;) {
      const bytes = length(this.received);
      if (bytes !== undefined && this.received.length >= bytes) {
        const taken = this.received.subarray(0, bytes);
        this.received = this.received.subarray(bytes);
        return taken;
      }
      if (this.closed) throw new Error(`hung up after ${JSON.stringify(this.received.toString('latin1'))}`);
      await new Promise<void>((resolve, reject) => {
        this.wake = resolve;
        deadline.addEventListener('abort', () => reject(new Error('silence')), { once: true });
      });
    }
  }

  async line(): Promise<string> {
    const line = await this.take((received) => (received.includes(0x0a) ? received.indexOf(0x0a) + 1 : undefined));
    return line.toString('latin1');
  }

  byte(): Promise<Buffer> {
    return this.take(() => 1);
  }

  /** A frame from SOH or STX to the byte after ETX or EOT, whatever that byte is. */
  async frame(): Promise<{ text: string; last: boolean; sound: boolean }> {
    const bytes = await this.take((received) => {
      const end = received.findIndex((byte) => byte === 0x03 || byte === 0x04);
      return end < 0 ? undefined : end + 2;
    });
    const sum = bytes.subarray(1, -1).reduce((xor, byte) => xor ^ byte, 0) & 0x7f;
    return { text: bytes.subarray(1, -2).toString('latin1'), last: bytes.at(-2) === 0x03, sound: sum === bytes.at(-1) };
  }

  send(code: string, data: string): void {
    const body = Buffer.from(`${code}\x02${data}\x03`, 'latin1');
    this.socket.write(
      Buffer.concat([Buffer.from([0x01]), body, Buffer.from([body.reduce((xor, byte) => xor ^ byte, 0)])]),
    );
  }

  async signOn(request: Uint8Array = SIGN_ON): Promise<void> {
    this.socket.write(request);
    expect(await this.line()).toBe('/Els6\\2EK280\r\n');
    this.socket.write(OPTION);
    expect(await this.frame()).toMatchObject({ sound: true });
  }

  async read(address: string): Promise<string> {
    this.send('R1', address);
    const { text, sound } = await this.frame();
    expect(sound).toBe(true);
    return text;
  }
}

const only = (fleet: Fleet): FleetMeter => fleet.meters[0] ?? expect.unreachable();

describe('a simulated meter on its port', () => {
  it('signs on, tells its serial number and its hourly archive in partial blocks, equal to the truth', async () => {
    const fleet = await fleetOf({});
    const client = await RawClient.open(only(fleet));
    await client.signOn();
    expect(await client.read('1:180.0(1)')).toBe(`1:180.0(${only(fleet).serialNumber})`);
    const series = (await client.read('3:V.4(3;;;)')).slice(1, -1).split(')(');

    client.send('R3', '3:V.0(3;;;4)');
    const blocks = [await client.frame()];
    while (!blocks.at(-1)?.last) {
      client.socket.write(Buffer.from([0x06]));
      blocks.push(await client.frame());
    }
    expect(blocks.map(({ sound }) => sound)).toEqual([true, true]);
    const rows = blocks.flatMap(({ text }) => text.split('\r\n')).map((row) => row.slice(1, -1).split(')('));
    expect(rows).toHaveLength(6);

    const told = rows.flatMap((row) =>
      row.slice(3, 11).map((value, i) => {
        const timestamp = new Date(Date.parse(`${row[2]?.replace(',', 'T')}+01:00`)).toISOString();
        return { series: series[i + 3]?.replace(/:0+/, ':').replace(/\.0$/, ''), timestamp, value };
      }),
    );
    const truth = [...fleet.truth(NOW - 24 * HOUR_MS, NOW, 3)];
    expect(truth.map(({ series, timestamp, value }) => ({ series, timestamp, value }))).toEqual(told);
    expect(fleet.counters).toEqual({ connections: 1, sessions: 1, errors: 0, overlaps: 0, maxConcurrentPerMeter: 1 });
  });

  it('hangs up on a second connection while one is open, and counts the overlap', async () => {
    const fleet = await fleetOf({});
    const first = await RawClient.open(only(fleet));
    await first.signOn();
    const second = await RawClient.open(only(fleet));
    await second.hungUp;
    expect(fleet.counters).toMatchObject({ connections: 2, overlaps: 1, maxConcurrentPerMeter: 2 });
    expect(await first.read('1:407.0(1)')).toBe('1:407.0(0)');
  });

  it('serves one who connects just before the predecessor is gone, without an overlap', async () => {
    const fleet = await fleetOf({});
    let client = await RawClient.open(only(fleet));
    for (let visit = 0; visit < 10; visit++) {
      const predecessor = client;
      client = await RawClient.open(only(fleet));
      predecessor.socket.destroy();
      await client.signOn();
    }
    expect(fleet.counters).toMatchObject({ sessions: 10, overlaps: 0, maxConcurrentPerMeter: 1 });
  });

  it('tells connections port by port, also where it hangs up on everybody', async () => {
    const fleet = await fleetOf({ meters: 2, faults: { 0: { kind: 'busy' } } });
    for (let visit = 0; visit < 3; visit++) await (await RawClient.open(only(fleet))).hungUp;
    expect(fleet.ports()).toEqual([
      { port: fleet.meters[0]?.port, meters: ['SIM-0001'], connections: 3, overlaps: 0 },
      { port: fleet.meters[1]?.port, meters: ['SIM-0002'], connections: 0, overlaps: 0 },
    ]);
  });

  it('hangs up on a flood of bytes that are no command', async () => {
    const client = await RawClient.open(only(await fleetOf({})));
    client.socket.write(Buffer.alloc(100_000, 0x41));
    await client.hungUp;
  });
});

describe('meters that share a port', () => {
  it('are told apart by their address; an empty one gets no answer', async () => {
    const fleet = await fleetOf({ meters: 5, metersPerPort: 3 });
    expect(new Set(fleet.meters.map((meter) => meter.port)).size).toBe(2);
    const [, second, third] = fleet.meters;
    const client = await RawClient.open(second ?? expect.unreachable());
    client.socket.write(SIGN_ON);
    for (const meter of [second, third]) {
      await client.signOn(Buffer.from(`/?${meter?.address}!\r\n`));
      expect(await client.read('1:180.0(1)')).toBe(`1:180.0(${meter?.serialNumber})`);
      client.socket.write(Buffer.from('\x01B0\x03\x71'));
    }
  });
});

describe('scripted faults', () => {
  it('show on the wire as what they are, and leave the neighbour alone', async () => {
    const fleet = await fleetOf({
      meters: 9,
      faults: {
        0: { kind: 'refuse' },
        1: { kind: 'busy' },
        2: { kind: 'hang-up', afterBytes: 10 },
        3: { kind: 'bad-bcc', times: 1 },
        4: { kind: 'wrong-identity', serialNumber: '99999999' },
        5: { kind: 'nak' },
        6: { kind: 'delay', ms: 30 },
        7: { kind: 'silent' },
      },
    });
    const open = (index: number) => RawClient.open(fleet.meters[index] ?? expect.unreachable());

    await expect(open(0)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await (
      await open(1)
    ).hungUp;
    await expect((await open(2)).signOn()).rejects.toThrow('hung up after "/Els6\\\\2EK2"');

    const spoiled = await open(3);
    await spoiled.signOn();
    spoiled.send('R1', '1:407.0(1)');
    expect(await spoiled.frame()).toMatchObject({ text: '1:407.0(0)', sound: false });
    spoiled.socket.write(Buffer.from([0x15]));
    expect(await spoiled.frame()).toMatchObject({ text: '1:407.0(0)', sound: true });

    const other = await open(4);
    await other.signOn();
    expect(await other.read('1:180.0(1)')).toBe('1:180.0(99999999)');

    const refusing = await open(5);
    await refusing.signOn();
    refusing.send('R1', '1:407.0(1)');
    expect([...(await refusing.byte())]).toEqual([0x15]);

    const late = await open(6);
    const asked = performance.now();
    await late.signOn();
    expect(performance.now() - asked).toBeGreaterThanOrEqual(55);

    const silent = await open(7);
    silent.socket.write(SIGN_ON);
    const neighbour = await open(8);
    await neighbour.signOn();
    expect(silent.closed).toBe(false);
    await expect(silent.line()).rejects.toThrow('silence');
  });
});

describe('a fleet', () => {
  it('of 500 meters starts within two seconds, each on its own port', async () => {
    const before = performance.now();
    const fleet = await fleetOf({ meters: 500 });
    expect(performance.now() - before).toBeLessThan(2000);
    expect(new Set(fleet.meters.map((meter) => meter.port)).size).toBe(500);
    expect(new Set(fleet.meters.map((meter) => meter.serialNumber)).size).toBe(500);
    expect(fleet.meters.at(-1)?.name).toBe('SIM-0500');
  });

  it('has the same truth for the same seed, and another for another', async () => {
    const truthOf = async (seed: number) => [...(await fleetOf({ meters: 2, seed })).truth(NOW - 2 * HOUR_MS, NOW, 3)];
    expect(await truthOf(4)).toEqual(await truthOf(4));
    expect(await truthOf(4)).not.toEqual(await truthOf(5));
  });

  it('tells which port is taken and leaves none open', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    cleanups.push(async () => taken.close());
    const { port } = taken.address() as AddressInfo;
    // The one before may be another's by chance; then that is the one that is told.
    await expect(startFleet({ meters: 3, basePort: port - 1 })).rejects.toThrow(
      new RegExp(`EADDRINUSE.*(${port}|${port - 1})`),
    );
    await expect(RawClient.open({ port: port - 1, host: '127.0.0.1' } as FleetMeter)).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    });
  });
});

describe('amr simulate', () => {
  it('keeps a truth file of every measured cell, says where the meters are, and leaves when told', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'simulate-'));
    cleanups.push(() => rm(folder, { recursive: true }));
    const installedAt = new Date(Math.floor(Date.now() / HOUR_MS) * HOUR_MS - 3 * HOUR_MS).toISOString();
    const hooks: (() => Promise<void> | void)[] = [];
    const context = { onStop: (hook: () => Promise<void> | void) => void hooks.push(hook) } as WorkerContext;
    const said = await simulation({ meters: 2, port: 0, truth: join(folder, 'truth.csv'), installedAt })(context);
    for (const stop of hooks) await stop();
    expect(said).toMatch(
      /^2 EK280 meters \(SIM-0001 to SIM-0002, serial numbers \d+ to \d+, password 0+\) on 127\.0\.0\.1 ports \d+ \d+, truth in /,
    );
    expect(await readdir(folder)).toEqual(['truth.csv']);
    const [header, ...cells] = (await readFile(join(folder, 'truth.csv'), 'utf8')).trimEnd().split('\n');
    expect(header).toBe('meter,serial_number,archive,series,timestamp,value');
    const hourly = cells.filter((cell) => /^SIM-000[12],\d+,3,/.test(cell));
    // Three hours ended since, or four when the test met a full hour.
    expect([2 * 3 * 8, 2 * 4 * 8]).toContain(hourly.length);
    expect(hourly[0]).toMatch(/^SIM-0001,201\d{5},3,2:300,\d{4}-\d\d-\d\dT\d\d:00:00\.000Z,\d+\.\d{4}$/);
  });

  it('tells at the end what came to each port, and which meters were given codes', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'simulate-'));
    cleanups.push(() => rm(folder, { recursive: true }));
    const counters = join(folder, 'counters.json');
    const hooks: (() => Promise<void> | void)[] = [];
    const context = { onStop: (hook: () => Promise<void> | void) => void hooks.push(hook) } as WorkerContext;
    const said = await simulation({ meters: 3, metersPerPort: 2, port: 0, counters })(context);
    const [first, second] = /ports (\d+) (\d+)/
      .exec(said ?? '')!
      .slice(1)
      .map(Number);
    const client = await RawClient.open({ host: '127.0.0.1', port: second } as FleetMeter);
    await client.signOn();
    client.send('W1', '3:171.0(12345678)');
    await client.frame();
    await (
      await RawClient.open({ host: '127.0.0.1', port: second } as FleetMeter)
    ).hungUp;
    for (const stop of hooks) await stop();
    expect(JSON.parse(await readFile(counters, 'utf8'))).toEqual({
      ...{ connections: 2, sessions: 1, errors: 1, overlaps: 1, maxConcurrentPerMeter: 2 },
      codesTried: { 'SIM-0003': 1 },
      ports: [
        { port: first, meters: ['SIM-0001', 'SIM-0002'], connections: 0, overlaps: 0 },
        { port: second, meters: ['SIM-0003'], connections: 2, overlaps: 1 },
      ],
    });
  });

  it('gives meters the faults of a profile and all clocks the deviation asked for', async () => {
    const hooks: (() => Promise<void> | void)[] = [];
    const context = { onStop: (hook: () => Promise<void> | void) => void hooks.push(hook) } as WorkerContext;
    const options = { meters: 20, port: 0, profile: 'docs/examples/fleet-profile.json', clockDeviation: -3600 };
    const said = await simulation(options)(context);
    for (const stop of hooks) cleanups.push(async () => stop());
    expect(said).toMatch(/, 9 of them with a fault$/);
    // The first of the meters has a fault of the archive alone.
    const client = await RawClient.open({
      host: '127.0.0.1',
      port: Number(/ports (\d+)/.exec(said ?? '')?.[1]),
    } as FleetMeter);
    await client.signOn();
    const told = (await client.read('1:400.0(1)')).slice('1:400.0('.length, -1);
    const deviation = Date.parse(`${told.replace(',', 'T')}+01:00`) - Date.now();
    expect(Math.abs(deviation + HOUR_MS)).toBeLessThan(10_000);
  });

  it.each([
    [{ meters: 0, port: 0 }, '--meters 0'],
    [{ meters: 10, port: 65_530 }, '--port 65530'],
    [{ meters: 1, port: 0, installedAt: '2026-01-31T00:00:00' }, '--installed-at 2026-01-31T00:00:00'],
  ])('names a wrong option %o', (options, named) => {
    expect(() => simulation(options)).toThrow(named);
  });
});
