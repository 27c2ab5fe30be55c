import { readFileSync } from 'node:fs';
import { parse } from 'csv-parse/sync';
import { describe, expect, it } from 'vitest';
import { MeterRowReader } from '../../src/import/meter-rows.js';

const reader = (header: string, ignored: string[] = []) => new MeterRowReader(header.split(','), ',', ignored);

describe('rows of a file of meters', () => {
  it('become meters by the header line, whatever the order of columns; blank cells are left out', () => {
    const rows = reader('taskGroups,Name,serialnumber,currentTransformerRatio,credentials.password,remarks', [
      'remarks',
    ]);
    expect(rows.read(2, ['gas; water ;', ' A ', '', '40', ' 00 ', 'x'])).toEqual({
      item: {
        name: 'A',
        taskGroups: ['gas', 'water'],
        currentTransformerRatio: '40',
        credentials: { password: ' 00 ' },
      },
    });
  });

  it('have errors with their column; a password is never shown', () => {
    const rows = reader('name,currentTransformerRatio,credentials.password');
    expect(rows.read(2, ['', 'forty', 'se\u0000cret'])).toEqual({
      errors: [
        { column: 'name', text: '', problem: 'must not be empty' },
        { column: 'currentTransformerRatio', text: 'forty', problem: 'must be a decimal such as 40 or 0.5' },
        { column: 'credentials.password', text: '(hidden)', problem: 'must not contain control characters' },
      ],
    });
  });

  it('may not repeat a name or reference, and say where it was', () => {
    const rows = reader('name,externalReference');
    expect(rows.read(2, ['A', 'R'])).toHaveProperty('item');
    expect(rows.read(3, ['A', 'R'])).toEqual({
      errors: [
        { column: 'name', text: 'A', problem: 'is that of line 2 already' },
        { column: 'externalReference', text: 'R', problem: 'is that of line 2 already' },
      ],
    });
    expect(rows.read(4, ['B', ''])).toHaveProperty('item');
    expect(rows.read(5, ['C', ''])).toHaveProperty('item');
  });

  it('must have as many cells as the header', () => {
    expect(reader('name,model').read(2, ['A'])).toMatchObject({
      errors: [{ problem: 'has 1 cells, the header has 2' }],
    });
  });

  it('turn what the API says of a field into an error of the cell', () => {
    const rows = reader('name,taskGroups,credentials.password');
    expect(rows.errorOf('taskGroups.1', 'is wrong', ['A', 'gas;steam', 'secret'])).toEqual({
      ...{ column: 'taskGroups', text: 'gas;steam', problem: 'is wrong' },
    });
    expect(rows.errorOf('credentials.password', 'is wrong', ['A', '', 'secret']).text).toBe('');
  });

  it.each([
    ['name;model', /Give --delimiter ";"/],
    ['name,modell', /column "modell" is not known\. Columns are name, .* Pass over one with --ignore/],
    ['model', /no column name/],
    ['name,model,MODEL', /the column model twice/],
    ['name,credentials.', /not known/],
  ])('are refused with the header %s', (header, message) => {
    expect(() => reader(header)).toThrow(message);
  });

  it('are refused where a column to ignore is not there', () => {
    expect(() => reader('name', ['remarks'])).toThrow(/no column "remarks"/);
  });

  it('of the example in the documentation are right', () => {
    const [header, ...rows] = parse(readFileSync('docs/examples/meters.csv'));
    const example = new MeterRowReader(header!, ',');
    for (const [index, cells] of rows.entries()) expect(example.read(index + 2, cells)).toHaveProperty('item');
  });
});
