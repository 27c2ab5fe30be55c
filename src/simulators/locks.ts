import { ErrorTelegram } from './error-telegram.js';

/** The locks that a code opens: supplier, customer, data reader. 1 (calibration) and 2 (manufacturer) stay shut. */
const WITH_CODE: readonly number[] = [3, 4, 5];

/** The supplier's lock guards the clock. */
export const SUPPLIER_LOCK = 3;

/** Locks of one meter: objects `n:170` (state), `n:171` (code) and `n:174` (minutes until they shut by themselves). */
export class Locks {
  private readonly codes: Map<number, string>;
  private readonly openUntil = new Map<number, number>();
  readonly autoCloseMinutes = 5;
  /** Codes that shut locks were given, right or wrong. A real meter locks out after some wrong ones. */
  codesTried = 0;

  constructor(code: string) {
    this.codes = new Map(WITH_CODE.map((lock) => [lock, code]));
  }

  isOpen(lock: number, now: number): boolean {
    return (this.openUntil.get(lock) ?? -Infinity) > now;
  }

  /** Opens a shut lock. @throws ErrorTelegram 17 for a wrong code, and for a lock without one. */
  open(lock: number, code: string, now: number): void {
    this.codesTried++;
    if (this.codes.get(lock) !== code) throw new ErrorTelegram('wrongAccessCode');
    this.openUntil.set(lock, now + this.autoCloseMinutes * 60_000);
  }

  /** A write to `n:171`: the key of a shut lock, but a new code for an open one, as the devices do. */
  writeCode(lock: number, code: string, now: number): void {
    if (this.isOpen(lock, now)) this.codes.set(lock, code);
    else this.open(lock, code, now);
  }

  close(lock: number): void {
    this.openUntil.delete(lock);
  }
}
