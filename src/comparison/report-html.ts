import { barChart, latencyChart, stackChart } from './charts.js';
import { escapeHtml } from './escape-html.js';
import type { ComparisonReport } from './report.js';
import { describeLoad, figureRows, latencies, remarks } from './report-table.js';

const STYLE = `
:root { color-scheme: light dark; --text: #1b1f24; --soft: #57606a; --line: #d0d7de; --back: #ffffff;
  --c0: #0969da; --c1: #bf8700; --c2: #1a7f37; --c3: #8250df; --c4: #cf222e; --c5: #57606a; }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --soft: #9da7b3; --line: #3d444d; --back: #0d1117;
  --c0: #58a6ff; --c1: #d29922; --c2: #3fb950; --c3: #bc8cff; --c4: #ff7b72; --c5: #9da7b3; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 0.6rem; border-bottom: 1px solid var(--line); }
.choice { border-left: 4px solid var(--c0); padding-left: 1rem; font-weight: 600; }
.soft, figcaption { color: var(--soft); }
figure { margin: 2rem 0; overflow-x: auto; }
svg text { fill: var(--text); font: 13px system-ui, sans-serif; }
svg line { stroke: var(--line); }`;

/** One self-contained page: no script, nothing is loaded. What comes from the user or from files is escaped. */
export function renderHtml(report: ComparisonReport): string {
  const names = report.strategies.map(({ strategy }) => strategy);
  const [needed, choice, ...rest] = remarks(report);
  const paced = report.settings.rate === null ? 'in the burst' : `at ${report.settings.rate} readings/s`;
  const charts = [
    figure(
      'Readings per second in the burst; the line is the needed rate',
      barChart(
        report.strategies.map(({ strategy, throughput }) => ({ name: strategy, value: throughput })),
        report.objectives.neededRate,
      ),
    ),
    figure(`Latency ${paced}, milliseconds, logarithmic: p50, p95, p99, max`, latencyChart(latencies(report))),
    figure(
      'Time per step, share of the time of all steps',
      stackChart(report.strategies.map(({ strategy, stepSeconds }) => ({ name: strategy, parts: stepSeconds }))),
    ),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Ingestion strategies compared</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Ingestion strategies compared</h1>
<p class="choice">${escapeHtml(choice!)}</p>
<p>${escapeHtml(needed!)}</p>
<p class="soft">${escapeHtml(describeLoad(report))}. ${escapeHtml(report.madeAt)}, version ${escapeHtml(report.product)}.</p>
${charts.join('\n')}
<table>
<thead><tr>${['', ...names].map((name) => `<th scope="col">${escapeHtml(name)}</th>`).join('')}</tr></thead>
<tbody>
${figureRows(report)
  .map(
    ([head, ...cells]) =>
      `<tr><th scope="row">${escapeHtml(head!)}</th>${cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')}</tr>`,
  )
  .join('\n')}
</tbody>
</table>
<ul>
${rest.map((remark) => `<li>${escapeHtml(remark.replace(/^ *- /, ''))}</li>`).join('\n')}
</ul>
</body>
</html>
`;
}

function figure(caption: string, svg: string): string {
  return `<figure><figcaption>${escapeHtml(caption)}</figcaption>${svg}</figure>`;
}
