import { describe, expect, it } from 'vitest';
import { parseItems } from '../../src/services/meter-import-items.js';
import { planImport, type KnownMeter } from '../../src/services/meter-import-plan.js';
import type { CreateMeterDevice } from '../../src/services/meter-input.js';

const meter = (id: string, name: string, externalReference: string | null = null): KnownMeter => ({
  ...{ id, name, externalReference, serialNumber: 'S1', manufacturer: null, model: 'EK280', protocolAddress: null },
  ...{ timeZone: 'Europe/Vienna', currentTransformerRatio: '40', voltageTransformerRatio: null },
  ...{ networkInterface: 'line', taskGroups: ['g1', 'g2'], meterTasks: [] },
});
const LINKS = {
  networkInterface: new Map([
    ['Modem 1', 'line'],
    ['Modem 2', 'other line'],
  ]),
  taskGroups: new Map([
    ['gas', 'g1'],
    ['g1', 'g1'],
    ['water', 'g2'],
  ]),
  meterTasks: new Map<string, string>(),
};

function plan(inputs: readonly CreateMeterDevice[], meters: readonly KnownMeter[] = []) {
  const { items, errors } = parseItems(inputs);
  const outcome = planImport(items, meters, LINKS, () => 'new');
  return { planned: outcome.planned, errors: [...errors, ...outcome.errors] };
}

describe('the items of an import', () => {
  it('are wrong one by one, with the field that is', () => {
    const { planned, errors } = plan([
      { name: 'A' },
      { name: '' },
      { name: 'B', timeZone: 'Mars/Base' },
      { name: 'C', credentials: {} },
    ]);
    expect(planned.map(({ index }) => index)).toEqual([0]);
    expect(errors.map(({ code, field }) => `${code} ${field}`)).toEqual([
      'BAD_USER_INPUT input.items.1.name',
      'BAD_USER_INPUT input.items.2.timeZone',
      'BAD_USER_INPUT input.items.3.credentials',
    ]);
    expect(errors[1]!.message).toBe('input.items.2.timeZone must be an IANA time zone such as Europe/Vienna or UTC.');
  });

  it('may not say one name or reference twice; the first of them stands', () => {
    const { planned, errors } = plan([
      { name: 'A', externalReference: 'R' },
      { name: 'A' },
      { name: ' A ' },
      { name: 'B', externalReference: 'R' },
    ]);
    expect(planned.map(({ index }) => index)).toEqual([0]);
    expect(errors.map(({ code, field }) => `${code} ${field}`)).toEqual([
      'CONFLICT input.items.1.name',
      'CONFLICT input.items.2.name',
      'CONFLICT input.items.3.externalReference',
    ]);
  });
});

describe('the meter of an item', () => {
  it('is the one with its reference, which may get another name', () => {
    const { planned } = plan([{ name: 'new name', externalReference: 'R' }], [meter('m1', 'old name', 'R')]);
    expect(planned).toMatchObject([{ id: 'm1', changed: ['name'] }]);
  });

  it('is else the one with its name, which may get a reference', () => {
    const { planned } = plan([{ name: 'A', externalReference: 'R' }], [meter('m1', 'A')]);
    expect(planned).toMatchObject([{ id: 'm1', changed: ['externalReference'] }]);
  });

  it.each<[string, CreateMeterDevice[], KnownMeter[], string]>([
    [
      'two meters share the reference',
      [{ name: 'A', externalReference: 'R' }],
      [meter('m1', 'X', 'R'), meter('m2', 'Y', 'R')],
      'input.items.0.externalReference',
    ],
    [
      'another meter has the name',
      [{ name: 'A', externalReference: 'R' }],
      [meter('m1', 'A'), meter('m2', 'B', 'R')],
      'input.items.0.name',
    ],
    [
      'the meter with the name has another reference',
      [{ name: 'A', externalReference: 'R' }],
      [meter('m1', 'A', 'Q')],
      'input.items.0.externalReference',
    ],
    [
      'an earlier item is about the same meter',
      [{ name: 'B', externalReference: 'R' }, { name: 'A' }],
      [meter('m1', 'A', 'R')],
      'input.items.1.name',
    ],
  ])('is none where %s', (_title, inputs, meters, field) => {
    expect(plan(inputs, meters).errors).toMatchObject([{ code: 'CONFLICT', field }]);
  });
});

describe('what becomes of a meter', () => {
  it('keeps what the item leaves out, and loses what it says is null', () => {
    const { planned } = plan([{ name: 'A', model: null, networkInterface: null }], [meter('m1', 'A')]);
    expect(planned[0]).toMatchObject({
      fields: { serialNumber: 'S1', model: null, timeZone: 'Europe/Vienna', currentTransformerRatio: '40' },
      networkInterface: null,
      taskGroups: undefined,
      changed: ['model', 'networkInterface'],
    });
  });

  it('is nothing where all is as it was, whatever the spelling', () => {
    const input = {
      name: 'A',
      timeZone: 'europe/vienna',
      currentTransformerRatio: '+40.0',
      taskGroups: ['water', 'g1'],
    };
    expect(plan([{ ...input, networkInterface: 'Modem 1' }], [meter('m1', 'A')]).planned).toMatchObject([
      { id: 'm1', changed: [] },
    ]);
  });

  it('has defaults where it is new, and links by name and by id', () => {
    const { planned } = plan([{ name: 'A', networkInterface: 'Modem 2', taskGroups: ['gas', 'g1', 'water'] }]);
    expect(planned[0]).toMatchObject({
      ...{ id: 'new', before: undefined, networkInterface: 'other line', taskGroups: ['g1', 'g2'] },
      fields: { serialNumber: null, timeZone: 'UTC' },
    });
  });

  it('is nothing where a link does not exist', () => {
    const { planned, errors } = plan([{ name: 'A', taskGroups: ['gas', 'steam'] }]);
    expect(planned).toEqual([]);
    expect(errors).toEqual([
      {
        ...{ index: 0, code: 'NOT_FOUND', field: 'input.items.0.taskGroups.1' },
        message: 'input.items.0.taskGroups.1 is not the id or name of any AmrTaskGroup: "steam".',
      },
    ]);
  });
});
