import { MeterError } from '../errors.js';
import { isDeviceAddress } from '../protocols/iec62056-21/commands.js';
import { isDataSetText } from '../protocols/iec62056-21/data-set.js';
import type { Procedure } from '../protocols/iec62056-21/procedure.js';
import { enterProgrammingMode, signOn } from '../protocols/iec62056-21/sign-on.js';
import { readClock, readZone } from '../protocols/lis200/clock.js';
import { Lis200Error } from '../protocols/lis200/error-telegram.js';
import { closeLock, openLock } from '../protocols/lis200/lock.js';
import { profileFor, type Lis200Profile } from '../protocols/lis200/profiles.js';
import { readObject } from '../protocols/lis200/values.js';
import { namedZone, type MeterZone } from '../protocols/lis200/zone.js';
import type { SessionEnvironment, SessionMeter, SessionRequest } from './execution-context.js';
import type { Iec62056Line } from './iec62056-line.js';

export interface ClockMeasurement {
  /** The meter's time as an instant, milliseconds since the epoch. */
  meterMs: number;
  /** Meter clock minus ours at the middle of the exchange. The meter tells whole seconds. */
  deviationSeconds: number;
}

/** A signed-on LIS200 device whose identity has been checked. */
export class Lis200Session {
  #zone: MeterZone | undefined;
  /** The meter's refusal of the password. Meters lock out after a few: it is not tried twice. */
  #refusal: MeterError | undefined;

  private constructor(
    private readonly line: Iec62056Line,
    private readonly request: SessionRequest,
    private readonly environment: SessionEnvironment,
    readonly profile: Lis200Profile,
  ) {}

  /** Signs on, enters programming mode and compares serial numbers. Throws `WRONG_METER` before anything else is read. */
  static async open(
    line: Iec62056Line,
    request: SessionRequest,
    environment: SessionEnvironment,
  ): Promise<Lis200Session> {
    const { meter } = request;
    if (!isDeviceAddress(meter.protocolAddress ?? '')) {
      throw new MeterError(
        'UNSUPPORTED',
        'the protocol address must have up to 32 letters, digits and spaces',
        'sign-on',
      );
    }
    const identification = await line.run(signOn(meter.protocolAddress));
    await line.run(enterProgrammingMode(identification));
    const profile = profileFor(meter.model, identification.ident);
    if (meter.serialNumber !== undefined) await line.run(verifySerialNumber(meter.serialNumber, profile));
    return new Lis200Session(line, request, environment, profile);
  }

  /** Our own time, milliseconds since the epoch. */
  now(): number {
    return this.environment.now();
  }

  run<T>(procedure: Procedure<T>): Promise<T> {
    return this.line.run(procedure);
  }

  /** As `run`; where the device denies access and a password is set, once more with the supplier lock open. */
  async read<T>(procedure: () => Procedure<T>): Promise<T> {
    try {
      return await this.run(procedure());
    } catch (error) {
      const locked = error instanceof Lis200Error && error.code === 'ACCESS_DENIED';
      if (!locked || this.request.credentials?.['password'] === undefined) throw error;
      return this.unlocked(() => this.run(procedure()));
    }
  }

  /**
   * Runs `body` with the supplier lock open, and closes the lock if it was closed before. Once the meter has refused the
   * password, throws `WRONG_PASSWORD` for the rest of the session without asking it again.
   */
  async unlocked<T>(body: () => Promise<T>): Promise<T> {
    const lock = this.profile.supplierLock;
    const opened = await this.#openLock(lock);
    try {
      return await body();
    } finally {
      // A lock that cannot be closed closes by itself after some minutes: no reason to lose what was read.
      if (opened) await this.run(closeLock(lock)).catch(() => undefined);
    }
  }

  /** The zone of the meter's clock, read once per session; the registered time zone where the meter does not tell. */
  async zone(): Promise<MeterZone> {
    this.#zone ??= (await this.run(readZone())) ?? registeredZone(this.request.meter);
    return this.#zone;
  }

  async measureClock(): Promise<ClockMeasurement> {
    const zone = await this.zone();
    const sentAt = this.now();
    const wallMs = await this.run(readClock());
    // The clock was read somewhere between question and answer: half the round trip is the best guess.
    const middleMs = (sentAt + this.now()) / 2;
    const meterMs = zone.nearest(wallMs, middleMs);
    return { meterMs, deviationSeconds: Math.round(meterMs - middleMs) / 1000 };
  }

  async #openLock(lock: number): Promise<boolean> {
    if (this.#refusal) throw notAgain(this.#refusal);
    try {
      return await this.run(openLock(lock, this.#password()));
    } catch (error) {
      if (error instanceof MeterError && error.code === 'WRONG_PASSWORD') this.#refusal = error;
      throw error;
    }
  }

  /** A code with reserved characters would be sent as another command. */
  #password(): string | undefined {
    const password = this.request.credentials?.['password'];
    if (password === undefined || (/^.{1,32}$/.test(password) && isDataSetText(password))) return password;
    throw new MeterError(
      'BAD_CREDENTIALS',
      'the password must have 1 to 32 characters other than ( ) * / !',
      'open lock',
    );
  }
}

function notAgain(refusal: MeterError): MeterError {
  const message = `not tried again, as earlier in the session: ${refusal.message}`;
  return new MeterError(refusal.code, message, refusal.phase, { cause: refusal });
}

function* verifySerialNumber(expected: string, profile: Lis200Profile): Procedure<void> {
  const phase = 'verify meter';
  const { value } = yield* readObject(profile.serialNumber, phase);
  if (comparable(value) === comparable(expected)) return;
  throw new MeterError('WRONG_METER', `the meter says serial number ${value}, registered is ${expected}`, phase);
}

/** Leading zeros are padding: displays, labels and registers disagree about them. */
function comparable(serialNumber: string): string {
  return serialNumber
    .trim()
    .toUpperCase()
    .replace(/^0+(?=.)/, '');
}

function registeredZone(meter: SessionMeter): MeterZone {
  try {
    return namedZone(meter.timeZone);
  } catch (cause) {
    throw new MeterError(
      'UNSUPPORTED',
      `the meter tells no UTC offset and ${meter.timeZone} is no known time zone`,
      'read clock',
      {
        cause,
      },
    );
  }
}
