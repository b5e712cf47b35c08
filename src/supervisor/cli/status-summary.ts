import { z } from 'zod';
import { counted } from '../../shared/counted.js';
import type { RunRecord } from '../lifecycle/run-record.js';

const count = z.number();

/** The part of the answer that is shown. What a newer or older agent does not say is left out. */
const answerSchema = z.looseObject({
  version: z.string().optional(),
  uptimeSeconds: count.optional(),
  host: z.string().optional(),
  namespaces: z.array(z.string()).optional(),
  plugins: z.looseObject({ known: count, enabled: count, running: count, failed: count }).optional(),
  registry: z
    .looseObject({
      address: z.string(),
      lastSyncAt: z.string().optional(),
      problem: z.string().optional(),
    })
    .optional(),
  outputs: z
    .array(
      z.looseObject({
        output: z.string(),
        state: z.string(),
        lastError: z.string().optional(),
        deliveredPoints: count,
        lagPoints: count,
        lagSeconds: count.optional(),
        diskPoints: count.optional(),
        setAsidePoints: count.optional(),
        droppedPoints: z.record(z.string(), count).optional(),
      }),
    )
    .optional(),
  runs: z
    .looseObject({
      ok: count,
      failed: count,
      skipped: count,
      waiting: count.optional(),
      lateness: z.looseObject({ p99Ms: count }).optional(),
    })
    .optional(),
  posts: z.looseObject({ accepted: count, points: count, refused: count }).optional(),
  measured: z.array(z.looseObject({ type: z.string(), points: count })).optional(),
});

type Answer = z.infer<typeof answerSchema>;
type Output = NonNullable<Answer['outputs']>[number];

/** Why points were dropped, for the end of "17 lost: …". */
const DROPPED: Readonly<Record<string, string>> = {
  full: 'the disk bound was reached and they were the oldest',
  damaged: 'damaged on disk',
  'no-room': 'no room in memory or on disk',
};

/** An answer of `/me/status` as lines for people. */
export function statusSummary(record: RunRecord, answer: unknown): string {
  const parsed = answerSchema.safeParse(answer);
  const status: Answer = parsed.success ? parsed.data : {};
  const lines: [string, string | undefined][] = [
    ['agent', `${status.version ?? record.version}, pid ${record.pid}, up ${uptime(record, status)}`],
    ['HTTP on', `${record.tcpAddress} and ${record.socketPath}`],
    ['host', status.host],
    ['namespaces', status.namespaces?.join(', ') || 'none'],
    ['registry', registryLine(status)],
    ['plugins', pluginsLine(status)],
    ['runs', runsLine(status)],
    ['posts', postsLine(status)],
    ['measured', measuredLine(status)],
    ...deliveryLines(status),
    ['config', record.configFile],
    ['log', record.logdir],
  ];
  return lines
    .filter(([, value]) => value !== undefined)
    .map(([what, value]) => `${what.padEnd(11)}${value}`)
    .join('\n');
}

function uptime(record: RunRecord, { uptimeSeconds }: Answer): string {
  return duration(uptimeSeconds ?? (Date.now() - Date.parse(record.startedAt)) / 1000);
}

function duration(exactSeconds: number): string {
  const seconds = Math.floor(exactSeconds);
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor((seconds % 86_400) / 3_600);
  const minutes = Math.floor((seconds % 3_600) / 60);
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

function registryLine({ registry }: Answer): string | undefined {
  if (registry === undefined) return undefined;
  const last =
    registry.lastSyncAt === undefined ? 'no answer since the start' : `answered ${registry.lastSyncAt}`;
  return `${registry.address}, ${last}${registry.problem === undefined ? '' : `; now: ${registry.problem}`}`;
}

function pluginsLine({ plugins }: Answer): string | undefined {
  if (plugins === undefined) return undefined;
  const failed = plugins.failed > 0 ? `, ${plugins.failed} could not be fetched` : '';
  return `${plugins.known} known, ${plugins.enabled} enabled, ${plugins.running} running now${failed}`;
}

function runsLine({ runs }: Answer): string | undefined {
  if (runs === undefined) return undefined;
  const { ok, failed, skipped, waiting = 0, lateness } = runs;
  const late = lateness === undefined ? '' : `; 99 of 100 begin within ${Math.round(lateness.p99Ms)} ms`;
  const line = waiting > 0 ? `, ${waiting} wait for a place` : '';
  return `${ok} ok, ${failed} failed, ${skipped} skipped since the start${late}${line}`;
}

function postsLine({ posts }: Answer): string | undefined {
  if (posts === undefined) return undefined;
  return `${posts.accepted} accepted with ${counted(posts.points, 'point')}, ${posts.refused} refused since the start`;
}

function measuredLine({ measured = [] }: Answer): string | undefined {
  if (measured.length === 0) return undefined;
  const points = measured.reduce((sum, { points }) => sum + points, 0);
  const types = measured.map(({ type }) => type).join(', ');
  return `${counted(points, 'point')} of the host itself since the start (${types})`;
}

function deliveryLines({ outputs, runs }: Answer): [string, string | undefined][] {
  // An answer that says nothing of runs either is none of an agent like this one.
  if (outputs === undefined) return [['delivery', runs && 'not known, as the publisher does not answer now']];
  return outputs.flatMap((output): [string, string | undefined][] => [
    ['delivery', `${output.output}: ${output.state}`],
    ['', `${counted(output.deliveredPoints, 'point')} delivered since the start, ${waitingText(output)}`],
    ['', refusedText(output)],
    ...droppedTexts(output).map((text): [string, string] => ['', text]),
    ['', output.lastError && `last error: ${output.lastError}`],
  ]);
}

function waitingText({ lagPoints, lagSeconds, diskPoints }: Output): string {
  if (lagPoints === 0) return 'none waiting';
  const since = lagSeconds === undefined ? '' : `, the oldest for ${lag(lagSeconds)}`;
  return `${lagPoints} waiting${diskPoints === undefined ? '' : places(lagPoints, diskPoints)}${since}`;
}

/** What is on disk may be in memory, too; each point is named once, at its safest place. */
function places(lagPoints: number, diskPoints: number): string {
  const memoryOnly = lagPoints - diskPoints;
  const texts = [
    ...(memoryOnly > 0 ? [`${memoryOnly} in memory`] : []),
    ...(diskPoints > 0 ? [`${diskPoints} on disk`] : []),
  ];
  return ` (${texts.join(', ')})`;
}

/** In seconds, as alerts and graphs have it, and for people where that is a long number. */
function lag(exactSeconds: number): string {
  const seconds = Math.round(exactSeconds);
  return seconds < 120 ? `${seconds} s` : `${seconds} s (${duration(seconds)})`;
}

function refusedText({ setAsidePoints = 0 }: Output): string | undefined {
  return setAsidePoints > 0
    ? `${setAsidePoints} refused for good by the server; the log says why`
    : undefined;
}

function droppedTexts({ droppedPoints = {} }: Output): readonly string[] {
  return Object.entries(droppedPoints)
    .filter(([, points]) => points > 0)
    .map(([reason, points]) => `${points} lost: ${DROPPED[reason] ?? reason}`);
}
