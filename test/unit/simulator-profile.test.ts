import { describe, expect, it } from 'vitest';
import { StartupError } from '../../src/errors.js';
import { sample, type Distribution } from '../../src/simulators/distribution.js';
import { assignFaults } from '../../src/simulators/fault-assignment.js';
import { parseProfile, readProfile } from '../../src/simulators/fleet-profile.js';

const START = Date.parse('2026-01-31T12:00:00Z');
const SHAPE = { meters: 1000, metersPerPort: 1, seed: 1 };
const parse = (value: unknown) => parseProfile(value, 'p.json', START);
const assign = (faults: unknown, shape: Partial<typeof SHAPE> = {}) =>
  assignFaults(parse({ faults }).faults, { ...SHAPE, ...shape });

describe('a profile', () => {
  it('counts hours from the start, takes instants as they are and fills in what JSON cannot tell', () => {
    const { faults } = parse({
      faults: [
        { meters: [0], fault: { kind: 'archive-gap', from: -2, to: '2026-01-31T12:30:00+01:00' } },
        { share: 0.1, fault: { kind: 'bad-bcc' } },
      ],
    });
    const from = Date.parse('2026-01-31T10:00:00Z');
    expect(faults[0]?.fault).toEqual({ kind: 'archive-gap', from, to: Date.parse('2026-01-31T11:30:00Z') });
    expect(faults[1]?.fault).toEqual({ kind: 'bad-bcc', times: Infinity });
  });

  it('is the example of the documentation', () => {
    const { faults } = readProfile('docs/examples/fleet-profile.json', START);
    expect(Object.keys(assignFaults(faults, { ...SHAPE, metersPerPort: 100 }))).toHaveLength(2 + 7 * 50);
  });

  it.each<[unknown, string]>([
    [[], '--profile p.json: the profile: '],
    [{ fault: [] }, 'the profile: Unrecognized key: "fault"'],
    [{ faults: [{ share: 2, fault: { kind: 'silent' } }] }, 'faults[0].share: '],
    [{ faults: [{ fault: { kind: 'silent' } }] }, 'faults[0]: must have either share or meters'],
    [{ faults: [{ share: 0.1, meters: [1], fault: { kind: 'silent' } }] }, 'faults[0]: must have either'],
    [{ faults: [{ share: 0.1, fault: { kind: 'sillent' } }] }, 'faults[0].fault.kind: '],
    [{ faults: [{ share: 0.1, fault: { kind: 'half-open' } }] }, 'faults[0].fault.afterBytes: '],
    [{ faults: [{ share: 0.1, fault: { kind: 'power-up', at: ['9:00'] } }] }, 'faults[0].fault.at[0]: must be hours'],
    [{ faults: [{ share: 0.1, fault: { kind: 'archive-gap', from: 1, to: 0 } }] }, 'fault.to: must not be before'],
    [{ faults: [{ meters: [true], fault: { kind: 'nak' } }] }, 'faults[0].meters[0]: must be a name'],
    [{ answerDelayMs: -1 }, 'answerDelayMs.value: '],
    [{ answerDelayMs: { distribution: 'normal' } }, 'answerDelayMs.distribution: '],
    [{ answerDelayMs: { distribution: 'uniform', min: 5, max: 1 } }, 'answerDelayMs.max: must not be below min'],
    [{ clock: { driftPpm: { distribution: 'lognormal', sigma: 1 } } }, 'clock.driftPpm.median: '],
  ])('%j is refused by the name of the field', (value, told) => {
    expect(() => parse(value)).toThrow(StartupError);
    expect(() => parse(value)).toThrow(told);
  });

  it('that is not there or is no JSON is refused by the name of the file', () => {
    expect(() => readProfile('no/such.json', START)).toThrow('--profile no/such.json cannot be read: ENOENT');
    expect(() => readProfile('README.md', START)).toThrow('--profile README.md is no JSON');
  });
});

describe('faults', () => {
  it('go to exact shares that do not overlap, to the same meters for the same seed', () => {
    const faults = [
      { share: 0.25, fault: { kind: 'silent' } },
      { share: 0.5, fault: { kind: 'nak' } },
      { meters: ['SIM-0010', 0], fault: { kind: 'garbage' } },
    ];
    const assigned = assign(faults);
    const kinds = Object.values(assigned).map(({ kind }) => kind);
    expect(['silent', 'nak', 'garbage'].map((kind) => kinds.filter((other) => other === kind).length)).toEqual([
      250, 500, 2,
    ]);
    expect([assigned[9], assigned[0]]).toEqual([{ kind: 'garbage' }, { kind: 'garbage' }]);
    expect(assign(faults)).toEqual(assigned);
    expect(assign(faults, { seed: 2 })).not.toEqual(assigned);
  });

  it('of the port take whole ports, others single meters of the other ports', () => {
    const faults = [
      { share: 0.1, fault: { kind: 'silent' } },
      { share: 0.2, fault: { kind: 'busy' } },
      { meters: [3], fault: { kind: 'refuse' } },
    ];
    const assigned = assign(faults, { meters: 95, metersPerPort: 10 });
    const having = (kind: string) => Object.keys(assigned).filter((index) => assigned[Number(index)]?.kind === kind);
    expect(having('refuse')).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    expect(new Set(having('busy').map((index) => Math.floor(Number(index) / 10))).size).toBe(2);
    expect([15, 20]).toContain(having('busy').length);
    expect(having('silent')).toHaveLength(10);
  });

  it.each<[unknown, string]>([
    [[{ meters: ['SIM-1001'], fault: { kind: 'nak' } }], 'faults[0].meters[0]: there is no meter "SIM-1001"'],
    [[{ meters: [1000], fault: { kind: 'nak' } }], 'index 0 to 999'],
    [
      [
        { meters: [1], fault: { kind: 'nak' } },
        { meters: ['SIM-0002'], fault: { kind: 'silent' } },
      ],
      'faults[1].meters: SIM-0002 has a fault already',
    ],
    [
      [
        { share: 0.7, fault: { kind: 'nak' } },
        { share: 0.4, fault: { kind: 'silent' } },
      ],
      'faults[1].share: 400 meters are wanted, but only 300',
    ],
  ])('%j cannot be given', (faults, told) => {
    expect(() => assign(faults)).toThrow(told);
  });
});

describe('a distribution', () => {
  const series = (spread: Distribution, seed = 1) => Array.from({ length: 2001 }, (_, n) => sample(spread, seed, n));

  it('is the same series for the same seed', () => {
    const spread: Distribution = { distribution: 'uniform', min: 0, max: 1 };
    expect(series(spread)).toEqual(series(spread));
    expect(series(spread)).not.toEqual(series(spread, 2));
  });

  it('keeps to its limits and its middle', () => {
    const middle = (values: number[]) => values.sort((a, b) => a - b)[1000]!;
    expect(new Set(series(5))).toEqual(new Set([5]));
    const uniform = series({ distribution: 'uniform', min: 10, max: 20 });
    expect(Math.min(...uniform)).toBeGreaterThanOrEqual(10);
    expect(Math.max(...uniform)).toBeLessThan(20);
    expect(Math.abs(middle(uniform) - 15)).toBeLessThan(0.5);
    const lognormal = series({ distribution: 'lognormal', median: 100, sigma: 0.5, max: 400 });
    expect(Math.min(...lognormal)).toBeGreaterThan(0);
    expect(Math.max(...lognormal)).toBe(400);
    expect(Math.abs(middle(lognormal) - 100)).toBeLessThan(5);
  });
});
