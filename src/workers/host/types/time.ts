import { reasonOf } from '../../../shared/coded-error.js';
import type { HostType, ReadContext } from '../host-type.js';
import { askTime } from '../sntp.js';

/** Answers of which the middle one counts. */
const ANSWERS = 3;
const TIMEOUT_MS = 3_000;
const HOUR_MS = 3_600_000;

/** Servers that want to be left alone, and until when. */
type TimeState = ReadonlyMap<string, number>;

/** How far this host's clock is from that of NTP servers. */
export const hostType: HostType<TimeState> = {
  type: 'TIME',
  intervalSeconds: 300,
  isWanted: (_plan, { ntpServers }) => ntpServers.length > 0,
  async read(previous, context) {
    const { settings, monotonicMs, warn } = context;
    const avoided = new Map([...(previous ?? [])].filter(([, until]) => until > monotonicMs));
    const servers = settings.ntpServers.filter((server) => !avoided.has(server));
    const { offsets, problems } = await askServers(servers, avoided, context);
    if (offsets.length === 0) {
      const reason =
        problems.length > 0 ? problems.join('; ') : 'all have asked to be left alone for an hour';
      warn(`none of the NTP servers (${settings.ntpServers.join(', ')}) says the time: ${reason}`, {
        about: 'NTP servers',
        everyMs: HOUR_MS,
      });
      return { points: [], state: avoided };
    }
    return { points: [{ name: 'time.offset', value: Number(median(offsets).toFixed(6)) }], state: avoided };
  },
};

interface Answers {
  readonly offsets: readonly number[];
  readonly problems: readonly string[];
}

/** One after another until there are enough answers; a single server is asked more than once. */
async function askServers(
  servers: readonly string[],
  avoided: Map<string, number>,
  { monotonicMs }: ReadContext,
): Promise<Answers> {
  const offsets: number[] = [];
  const problems: string[] = [];
  let left = servers;
  while (left.length > 0 && offsets.length < ANSWERS) {
    const answered: string[] = [];
    for (const server of left) {
      if (offsets.length === ANSWERS) break;
      try {
        const answer = await askTime(server, TIMEOUT_MS);
        if (answer.type === 'time') {
          offsets.push(answer.offsetSeconds);
          answered.push(server);
        } else {
          avoided.set(server, monotonicMs + HOUR_MS);
          problems.push(`${server} wants no questions (${answer.code})`);
        }
      } catch (thrown) {
        problems.push(reasonOf(thrown));
      }
    }
    left = answered;
  }
  return { offsets, problems };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  const [below = 0, above = 0] =
    sorted.length % 2 === 1 ? [sorted[middle], sorted[middle]] : sorted.slice(middle - 1);
  return (below + above) / 2;
}
