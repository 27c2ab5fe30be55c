import { ArchiveMemory, type Archive, type ArchiveNumber, type ArchiveRange } from './archive-memory.js';
import { formatDeviceTime, parseDeviceTime } from './device-time.js';
import { ErrorTelegram } from './error-telegram.js';
import { parseDataSet, type DataSet } from './lis200-address.js';
import type { Command } from './lis200-frames.js';
import { COUNTERS_START_MS, LoadCurve } from './load-curve.js';
import { Locks, SUPPLIER_LOCK } from './locks.js';
import { fixed, MEASUREMENTS } from './measurements.js';

export interface Lis200MeterOptions {
  serialNumber: string;
  /** Bus address; leading zeros do not count. @default the serial number */
  address?: string;
  /** Code of the locks 3, 4 and 5. @default '00000000' */
  password?: string;
  seed: number;
  /** Milliseconds since the epoch; archive rows exist for periods that ended later. @default 4 January 2015 */
  installedAt?: number;
  /** Whether the meter keeps archive 13, one row a minute. @default false */
  minuteArchive?: boolean;
  /** What the meter's clock is ahead of true time. @default 0 */
  clockDeviationMs?: number;
  /** What the clock gains, in microseconds a second, from `startedAt` on until it is set. @default 0 */
  clockDriftPpm?: number;
  /** When `clockDeviationMs` holds, in milliseconds since the epoch. @default 0 */
  startedAt?: number;
  /** Rows that were lost, in milliseconds since the epoch of the meter's own clock. */
  gap?: { from: number; to: number; archive?: ArchiveNumber };
  /** Restarts, in milliseconds since the epoch of the meter's own clock. */
  powerUps?: readonly number[];
  /** Rows that an archive keeps at most. @default as the device */
  archiveRows?: number;
}

/** What a command is answered with: ACK, or data in one or more blocks, made when they are sent. */
export type Reply = { kind: 'ack' } | { kind: 'data'; blocks: number; block(index: number): string };

/** Object 1:40F. Central European time all year round: 1:407 is 0, no daylight saving. */
const UTC_OFFSET_MINUTES = 60;
const UTC_OFFSET_MS = UTC_OFFSET_MINUTES * 60_000;
const MODEL = 'EK280';
/** Rows of a partial block when an R3 request names no number: the slowest and safest. */
const DEFAULT_ROWS_PER_BLOCK = 1;

/**
 * A simulated EK280 gas volume corrector behind its protocol: objects, locks, clock and archives of LIS200. It does no I/O and
 * takes the time as an argument. The clock is the meter's own: registers and archives follow it, right or wrong.
 */
export class Lis200Meter {
  readonly identification = `/Els6\\2${MODEL}\r\n`;
  readonly serialNumber: string;
  /** Local device time minus this is UTC. */
  readonly utcOffsetMs = UTC_OFFSET_MS;
  readonly archives: ArchiveMemory;
  readonly curve: LoadCurve;
  private readonly address: string;
  private readonly locks: Locks;
  private clockDeviationMs: number;
  private readonly clockDriftPpm: number;
  /** When the clock deviated by `clockDeviationMs`: the drift counts from here. */
  private clockSetAt: number;
  private readonly objects: ReadonlyMap<string, (now: number) => string>;

  constructor(options: Lis200MeterOptions) {
    this.serialNumber = options.serialNumber;
    this.address = significant(options.address ?? options.serialNumber);
    this.curve = new LoadCurve(options.seed);
    this.locks = new Locks(options.password ?? '00000000');
    this.clockDeviationMs = options.clockDeviationMs ?? 0;
    this.clockDriftPpm = options.clockDriftPpm ?? 0;
    this.clockSetAt = options.startedAt ?? 0;
    const { gap, powerUps = [] } = options;
    this.archives = new ArchiveMemory({
      curve: this.curve,
      utcOffsetMs: UTC_OFFSET_MS,
      installedLocalMs: (options.installedAt ?? COUNTERS_START_MS) + UTC_OFFSET_MS,
      minuteArchive: options.minuteArchive ?? false,
      gap: gap && { ...gap, from: gap.from + UTC_OFFSET_MS, to: gap.to + UTC_OFFSET_MS },
      powerUps: powerUps.map((at) => Math.floor(at / 1000) * 1000 + UTC_OFFSET_MS),
      rows: options.archiveRows,
    });
    this.objects = this.readableObjects();
  }

  /** Whether a sign-on request with this address is meant for the meter. An empty one is meant for anybody. */
  answersTo(address: string): boolean {
    return address === '' || significant(address) === this.address;
  }

  /** The meter's clock, as local device time. */
  localMs(now: number): number {
    return this.clockUtcMs(now) + UTC_OFFSET_MS;
  }

  /**
   * Carries out R1, R3, W1 or P1 at `now` (milliseconds since the epoch).
   * @throws ErrorTelegram when the meter cannot or may not.
   */
  execute({ code, data }: Command, now: number): Reply {
    switch (code) {
      case 'R1':
      case 'R3': {
        const request = parseDataSet(data);
        return request.object.endsWith(':V')
          ? this.readArchive(request, code === 'R3', now)
          : this.readObject(request, now);
      }
      case 'W1':
        this.write(parseDataSet(data), now);
        return { kind: 'ack' };
      case 'P1': {
        const [, lock, key] = /^\((\d):([^()]*)\)$/.exec(data) ?? [];
        if (lock === undefined || key === undefined) throw new ErrorTelegram('syntax');
        this.locks.open(Number(lock), key, now);
        return { kind: 'ack' };
      }
      default:
        throw new ErrorTelegram('syntax');
    }
  }

  /** Codes that its shut locks were given, right or wrong. */
  get codesTried(): number {
    return this.locks.codesTried;
  }

  private clockUtcMs(now: number): number {
    return now + this.clockDeviationMs + Math.round(((now - this.clockSetAt) * this.clockDriftPpm) / 1e6);
  }

  private readObject({ object, attribute, sent }: DataSet, now: number): Reply {
    if (/^[1-5]:171$/.test(object)) throw new ErrorTelegram('noReadPermission');
    const value = this.objects.get(object);
    if (!value) throw new ErrorTelegram('objectNotAvailable');
    if (attribute !== '0') throw new ErrorTelegram('unknownAttribute');
    // Devices echo a measurement by another spelling than the request's, and everything else as sent.
    const echo = MEASUREMENTS.some(({ series }) => series === object) ? `7-${object}.2` : sent;
    return single(`${echo}(${value(now)})`);
  }

  private write({ object, attribute, data }: DataSet, now: number): void {
    const [, lock, part] = /^([1-5]):(170|171)$/.exec(object) ?? [];
    if (lock === undefined && !this.objects.has(object)) throw new ErrorTelegram('objectNotAvailable');
    if (attribute !== '0') throw new ErrorTelegram('unknownAttribute');
    if (part === '171') {
      this.locks.writeCode(Number(lock), data, now);
    } else if (part === '170') {
      if (data !== '0') throw new ErrorTelegram('wrongInput');
      this.locks.close(Number(lock));
    } else if (object === '1:400') {
      if (!this.locks.isOpen(SUPPLIER_LOCK, now)) throw new ErrorTelegram('noWritePermission');
      const localMs = parseDeviceTime(data);
      if (localMs === undefined) throw new ErrorTelegram('wrongInput');
      this.clockDeviationMs = localMs - UTC_OFFSET_MS - now;
      this.clockSetAt = now;
    } else {
      throw new ErrorTelegram('noWritePermission');
    }
  }

  /** `n:V.a(position;from;to;rows)`; attributes other than 0 take the range too, and need it only for the row count. */
  private readArchive({ object, attribute, data }: DataSet, inBlocks: boolean, now: number): Reply {
    const archive = this.archives.archive(Number.parseInt(object, 10));
    const describe = (cell: (column: Archive['columns'][number]) => string) =>
      single(archive.columns.map((column) => `(${cell(column)})`).join(''));
    switch (attribute) {
      case '0':
      case 'A':
        break;
      case '2':
        return describe((column) => column.name);
      case '3':
        return describe((column) => column.unit);
      case '4':
        return describe((column) => column.source);
      default:
        throw new ErrorTelegram(/\d/.test(attribute) ? 'attributeNotAvailable' : 'unknownAttribute');
    }
    const { range, rows } = parseArchiveArgument(data);
    const orders = this.archives.select(archive, range, this.localMs(now));
    const count = orders.length;
    if (attribute === 'A') return single(`(${count})`);

    const perBlock = inBlocks ? (rows ?? DEFAULT_ROWS_PER_BLOCK) : count;
    const line = (order: number) => {
      const row = this.archives.row(archive, order);
      return archive.columns.map((column) => `(${column.text(row)})`).join('');
    };
    return {
      kind: 'data',
      blocks: Math.ceil(count / perBlock),
      block: (index) => {
        const start = index * perBlock;
        return orders
          .slice(start, start + perBlock)
          .map(line)
          .join('\r\n');
      },
    };
  }

  private readableObjects(): ReadonlyMap<string, (now: number) => string> {
    return new Map<string, (now: number) => string>([
      ['1:180', () => this.serialNumber],
      ['3:180', () => this.serialNumber],
      ['1:181', () => MODEL],
      ['2:190', () => '2.51'],
      ['4:150', () => '60*Minutes'],
      ['1:400', (now) => formatDeviceTime(this.localMs(now))],
      ['1:407', () => '0'],
      ['1:40F', () => String(UTC_OFFSET_MINUTES)],
      ...[1, 2, 3, 4, 5].flatMap((lock): [string, (now: number) => string][] => [
        [`${lock}:170`, (now) => (this.locks.isOpen(lock, now) ? '1' : '0')],
        [`${lock}:174`, () => `${this.locks.autoCloseMinutes}*Minutes`],
      ]),
      ...MEASUREMENTS.map(({ series, unit, decimals, at }): [string, (now: number) => string] => [
        series,
        (now) => fixed(at(this.curve, this.clockUtcMs(now)), decimals) + (unit && `*${unit}`),
      ]),
    ]);
  }
}

function single(text: string): Reply {
  return { kind: 'data', blocks: 1, block: () => text };
}

/** `position;from;to;rows`, each of which may be empty or left out. @throws ErrorTelegram 101, 200 */
function parseArchiveArgument(data: string): { range: ArchiveRange; rows?: number } {
  const [position = '', from = '', to = '', rows = '', ...more] = data.split(';');
  if (more.length > 0 || !/^\d{0,4}$/.test(position) || !/^\d{0,4}$/.test(rows) || Number(rows || 1) === 0) {
    throw new ErrorTelegram('syntax');
  }
  return { range: { position: Number(position || 1), from, to }, ...(rows !== '' && { rows: Number(rows) }) };
}

/** Leading zeros of an address do not count; a blank after them does not occur in ours. */
function significant(address: string): string {
  return address.replace(/^0+(?=.)/, '');
}
