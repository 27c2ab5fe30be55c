import { escapeHtml } from './escape-html.js';
import type { Latency } from './report.js';

/** Charts as inline SVG. Colours and fonts are those of the page. */

const WIDTH = 760;
const LEFT = 110;
const RIGHT = 110;
const ROW = 40;
const BAR = 24;
const PLOT = WIDTH - LEFT - RIGHT;
const COLOURS = 6;

/** Bars from zero; `mark` is a line across them. */
export function barChart(bars: readonly { name: string; value: number }[], mark: number): string {
  const most = Math.max(...bars.map(({ value }) => value), mark, 1e-9);
  const x = (value: number) => LEFT + (value / most) * PLOT;
  const rows = bars.map(({ name, value }, row) =>
    [
      label(name, row),
      rect(LEFT, row, x(value) - LEFT, row, `${name}: ${round(value)}`),
      text(x(value) + 6, row, Math.round(value).toLocaleString('en')),
    ].join(''),
  );
  const height = bars.length * ROW;
  const line = `<line x1="${round(x(mark))}" x2="${round(x(mark))}" y1="0" y2="${height}" style="stroke:var(--c4)" stroke-dasharray="4 3"/>`;
  return svg(height, 'Bars of readings per second', rows.join('') + line);
}

/** The four figures of each on a logarithmic axis. */
export function latencyChart(items: readonly { strategy: string; latency: Latency }[]): string {
  const values = items.flatMap(({ latency }) => Object.values(latency)).map((value) => Math.max(value, 0.1));
  if (values.length === 0) return '<p class="soft">No latency was measured.</p>';
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  const x = (value: number) => LEFT + ((Math.log10(Math.max(value, 10 ** low)) - low) / (high - low)) * PLOT;
  const height = items.length * ROW;
  const grid = Array.from({ length: high - low + 1 }, (_, step) => {
    const at = round(x(10 ** (low + step)));
    return `<line x1="${at}" x2="${at}" y1="0" y2="${height}"/><text x="${at}" y="${height + 16}" text-anchor="middle">${Number((10 ** (low + step)).toPrecision(1)).toLocaleString('en')} ms</text>`;
  });
  const rows = items.map(({ strategy, latency }, row) => {
    const { p50, p95, p99, max } = latency;
    const y = row * ROW + ROW / 2;
    const span = `<line x1="${round(x(p50))}" x2="${round(x(max))}" y1="${y}" y2="${y}" style="stroke:var(--c${row})" stroke-width="3"/>`;
    const dots = Object.entries({ p50, p95, p99, max }).map(
      ([name, value]) =>
        `<circle cx="${round(x(value))}" cy="${y}" r="${name === 'p50' ? 7 : 5}" style="fill:var(--c${row})"><title>${escapeHtml(strategy)} ${name}: ${round(value)} ms</title></circle>`,
    );
    return label(strategy, row) + span + dots.join('') + text(LEFT + PLOT + 12, row, `p99 ${round(p99)} ms`);
  });
  return svg(height + 24, 'Latency percentiles', grid.join('') + rows.join(''));
}

/** Parts of each as shares of its whole, with a legend. */
export function stackChart(items: readonly { name: string; parts: Record<string, number> }[]): string {
  const names = [...new Set(items.flatMap(({ parts }) => Object.keys(parts)))];
  const rows = items.map(({ name, parts }, row) => {
    const all = Object.values(parts).reduce((sum, part) => sum + part, 0);
    let left = LEFT;
    const stack = names.map((part, colour) => {
      const width = all === 0 ? 0 : ((parts[part] ?? 0) / all) * PLOT;
      const drawn = rect(left, row, width, colour, `${part}: ${round(parts[part] ?? 0)} s`);
      left += width;
      return drawn;
    });
    return label(name, row) + stack.join('');
  });
  const height = items.length * ROW;
  const legend = names.map(
    (name, index) =>
      `<rect x="${LEFT + index * 110}" y="${height + 6}" width="12" height="12" style="fill:var(--c${index % COLOURS})"/><text x="${LEFT + index * 110 + 18}" y="${height + 17}">${escapeHtml(name)}</text>`,
  );
  return svg(height + 26, 'Time per step', rows.join('') + legend.join(''));
}

function svg(height: number, title: string, content: string): string {
  return `<svg viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" role="img" aria-label="${escapeHtml(title)}">${content}</svg>`;
}

function rect(x: number, row: number, width: number, colour: number, title: string): string {
  return `<rect x="${round(x)}" y="${row * ROW + (ROW - BAR) / 2}" width="${round(width)}" height="${BAR}" style="fill:var(--c${colour % COLOURS})"><title>${escapeHtml(title)}</title></rect>`;
}

function label(name: string, row: number): string {
  return `<text x="${LEFT - 10}" y="${row * ROW + ROW / 2 + 5}" text-anchor="end">${escapeHtml(name)}</text>`;
}

function text(x: number, row: number, content: string): string {
  return `<text x="${round(x)}" y="${row * ROW + ROW / 2 + 5}">${escapeHtml(content)}</text>`;
}

function round(value: number): string {
  return String(Number(value.toFixed(1)));
}
