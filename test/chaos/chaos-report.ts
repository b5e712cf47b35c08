import type { ChaosReport } from './chaos-run.js';
import { countActions, type Schedule } from './schedule.js';

/** What is wrong, in sentences; empty when the schedule was survived. */
export function failuresOf(report: ChaosReport): readonly string[] {
  const { lost, strange, runs, answers } = report;
  const failures: string[] = [];
  if (lost.length > 0)
    failures.push(
      `${lost.length} accepted points are lost, ${report.lostByBrokers} of them acknowledged by nsqd: ${some(lost)}`,
    );
  if (runs.lost.length > 0) failures.push(`${runs.lost.length} runs of plugins are lost: ${some(runs.lost)}`);
  if (report.resent > 0)
    failures.push(`${report.resent} points came again after a restart when all were delivered`);
  if (strange > 0) failures.push(`${strange} points arrived that nobody posted there`);
  const odd = [...answers.keys()].filter((status) => ![200, 503, 'none'].includes(status));
  if (odd.length > 0) failures.push(`posts were answered with ${odd.join(', ')}`);
  return failures;
}

/** The schedule in words. */
export function describeSchedule(schedule: Schedule): string {
  const { seed, ms, mode, fsync, bufferSize, clients, brokers, agent, disk } = schedule;
  const tracks = brokers.map((steps, place) => `nsqd ${place + 1}: ${countActions(steps)}`);
  return [
    `CHAOS_SEED=${seed} CHAOS_SECONDS=${ms / 1000}: ${mode}, fsync ${fsync}, buffersize ${bufferSize}, ${clients} clients`,
    ...tracks,
    `agent: ${countActions(agent)}`,
    `disk: ${countActions(disk)}`,
  ].join('; ');
}

/** What came of it, in a line. */
export function describeReport(report: ChaosReport): string {
  const { runs, answers } = report;
  return [
    `accepted ${report.accepted} of ${report.posted}`,
    `delivered ${report.delivered}`,
    `duplicates ${report.duplicates}`,
    `lost ${report.lost.length}`,
    `unknown but delivered ${report.unknownButDelivered}`,
    `runs: ${runs.accepted} accepted, ${runs.delivered} delivered, ${runs.duplicates} duplicates, ${runs.lost.length} lost, ${runs.unknownNotDelivered} unknown and not delivered`,
    `posts: ${[...answers].map(([status, count]) => `${status} ${count}x`).join(', ')}`,
    `counted by ${report.schedule.killsBrokers ? 'what nsqd acknowledged' : 'a consumer'}`,
    `${report.seconds.toFixed(1)} s`,
  ].join('; ');
}

/** All schedules, a line each, and the totals. */
export function table(reports: readonly ChaosReport[]): string {
  const head = [
    'seed',
    'mode',
    'accepted',
    'delivered',
    'duplicates',
    'lost',
    'unknown but delivered',
    'runs',
    'runs lost',
    's',
  ];
  const rows = reports.map((report) => [
    String(report.schedule.seed),
    report.schedule.mode,
    ...numbersOf(report).map(String),
  ]);
  const sums = reports
    .map(numbersOf)
    .reduce((all, one) => all.map((sum, column) => sum + (one[column] ?? 0)), new Array(8).fill(0));
  const lines = [head, ...rows, ['total', `${reports.length} schedules`, ...sums.map(String)]];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) => line.map((cell, column) => cell.padStart(widths[column] ?? 0)).join('  '))
    .join('\n');
}

function numbersOf(report: ChaosReport): number[] {
  return [
    report.accepted,
    report.delivered,
    report.duplicates,
    report.lost.length,
    report.unknownButDelivered,
    report.runs.accepted,
    report.runs.lost.length,
    Math.round(report.seconds),
  ];
}

function some(list: readonly (string | number)[]): string {
  return list.slice(0, 10).join(', ') + (list.length > 10 ? ', …' : '');
}
