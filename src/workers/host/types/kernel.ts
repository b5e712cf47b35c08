import { reasonOf } from '../../../shared/coded-error.js';
import type { HostPoint, HostType, ReadContext } from '../host-type.js';
import { type FilePosition, type LoginsRead, readLogins } from '../login-records.js';

interface KernelState {
  readonly wtmp: FilePosition | undefined;
  readonly btmp: FilePosition | undefined;
}

/** Logins that are older are not told, as when the agent was not running then. */
const WINDOW_SECONDS = 300;

/** Logins and failed ones. Each is told once, with its own time. */
export const hostType: HostType<KernelState> = {
  type: 'KERNEL',
  intervalSeconds: 300,
  read(previous, context) {
    const { places } = context;
    const sessions = readOrWarn(places.wtmp, 'sessions', previous?.wtmp, context);
    const attempts = readOrWarn(places.btmp, 'attempts', previous?.btmp, context);
    const points = [...loginPoints(sessions, 'true', context), ...loginPoints(attempts, 'false', context)];
    return { points, state: { wtmp: sessions.position, btmp: attempts.position } };
  },
};

function readOrWarn(
  path: string,
  kinds: 'sessions' | 'attempts',
  previous: FilePosition | undefined,
  { warn }: ReadContext,
): LoginsRead {
  try {
    return readLogins(path, kinds, previous);
  } catch (thrown) {
    warn(`logins are not told: ${reasonOf(thrown)}`, { about: path });
    return { records: [], position: previous };
  }
}

function loginPoints(
  { records }: LoginsRead,
  success: 'true' | 'false',
  { nowSeconds, intervalSeconds }: ReadContext,
): readonly HostPoint[] {
  const since = nowSeconds - Math.max(WINDOW_SECONDS, intervalSeconds);
  return records
    .filter(({ seconds }) => seconds > since)
    .map(({ user, remote, device, seconds }) => ({
      name: 'kernel.user.login',
      value: success === 'true' ? 1 : 0,
      tags: { user, remote, device, success },
      timestamp: Math.min(seconds, nowSeconds),
    }));
}
