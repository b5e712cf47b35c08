import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { CodedError, reasonOf } from '../../shared/coded-error.js';
import { parseHostPort } from '../../shared/host-port.js';

/** What a server says. */
export type TimeAnswer =
  /** The server's clock less ours: positive when ours is behind. */
  | { readonly type: 'time'; readonly offsetSeconds: number }
  /** It asks to be left alone (kiss-of-death); the four letters of its reason. */
  | { readonly type: 'refusal'; readonly code: string };

const PACKET_BYTES = 48;
/** No warning of a leap second, version 4, client. */
const CLIENT_HEADER = 0x23;
const SERVER_MODE = 4;
const UNSYNCHRONIZED = 3;
const STRATUM_MAX = 15;
const DELAY_MAX_SECONDS = 1;

/** Seconds from 1900, where NTP begins, to 1970. */
const NTP_TO_UNIX_SECONDS = 2_208_988_800;

const PLACE = {
  stratum: 1,
  rootDelay: 4,
  rootDispersion: 8,
  reference: 12,
  originate: 24,
  receive: 32,
  transmit: 40,
} as const;

/**
 * Asks an NTP server once, as RFC 4330 has it.
 * @param server `host:port`
 * @throws CodedError `ntp` when it does not answer in time, or what it answers is of no use
 */
export async function askTime(server: string, timeoutMs: number): Promise<TimeAnswer> {
  const address = parseHostPort(server);
  if (address === undefined) throw new CodedError('ntp', `${server} is no address of an NTP server`);
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    const { address: ip, family } = await aborting(lookup(address.host), deadline);
    return await exchange({ ip, port: address.port, family }, deadline);
  } catch (thrown) {
    if (deadline.aborted) {
      throw new CodedError('ntp', `${server} does not answer within ${timeoutMs / 1000} s`, {
        cause: thrown,
      });
    }
    throw new CodedError('ntp', `${server}: ${reasonOf(thrown)}`, { cause: thrown });
  }
}

interface Target {
  readonly ip: string;
  readonly port: number;
  readonly family: number;
}

/** A connected socket: packets of others do not get in. */
async function exchange({ ip, port, family }: Target, deadline: AbortSignal): Promise<TimeAnswer> {
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
  try {
    const answered = new Promise<TimeAnswer>((resolve, reject) => {
      socket.once('error', reject);
      socket.connect(port, ip, () => {
        const question = makeQuestion();
        const sentAtMs = Date.now();
        const sentAt = performance.now();
        socket.on('message', (packet) => {
          const takenSeconds = (performance.now() - sentAt) / 1000;
          // Somebody may have guessed the port; the true answer can still come.
          if (!isAnswerTo(packet, question)) return;
          try {
            resolve(readAnswer(packet, sentAtMs / 1000, takenSeconds));
          } catch (thrown) {
            reject(thrown);
          }
        });
        socket.send(question, (error) => error && reject(error));
      });
    });
    return await aborting(answered, deadline);
  } finally {
    socket.close();
  }
}

/** Our time is nobody's business and easily guessed: a random number stands in its place and must come back. */
function makeQuestion(): Buffer {
  const packet = Buffer.alloc(PACKET_BYTES);
  packet[0] = CLIENT_HEADER;
  randomBytes(8).copy(packet, PLACE.transmit);
  return packet;
}

function isAnswerTo(packet: Buffer, question: Buffer): boolean {
  if (packet.length < PACKET_BYTES || ((packet[0] ?? 0) & 7) !== SERVER_MODE) return false;
  const echoed = packet.subarray(PLACE.originate, PLACE.originate + 8);
  return echoed.equals(question.subarray(PLACE.transmit, PLACE.transmit + 8));
}

/** The checks of RFC 4330, section 5. */
function readAnswer(packet: Buffer, sentSeconds: number, takenSeconds: number): TimeAnswer {
  const stratum = packet[PLACE.stratum] ?? 0;
  if (stratum === 0) {
    return { type: 'refusal', code: packet.toString('latin1', PLACE.reference, PLACE.reference + 4).trim() };
  }
  if (stratum > STRATUM_MAX) throw new Error(`it answers with stratum ${stratum}, so it has no time to give`);
  if ((packet[0] ?? 0) >> 6 === UNSYNCHRONIZED) throw new Error('its own clock is not synchronized');
  const rootDelay = packet.readInt32BE(PLACE.rootDelay) / 65_536;
  const rootDispersion = packet.readUInt32BE(PLACE.rootDispersion) / 65_536;
  if (rootDelay < 0 || rootDelay >= DELAY_MAX_SECONDS || rootDispersion >= DELAY_MAX_SECONDS) {
    throw new Error(
      `its own time is too uncertain (root delay ${rootDelay} s, dispersion ${rootDispersion} s)`,
    );
  }
  if (packet.readBigUInt64BE(PLACE.transmit) === 0n) throw new Error('it answers without a time');
  const receivedThere = fromOurs(packet, PLACE.receive, sentSeconds);
  const sentThere = fromOurs(packet, PLACE.transmit, sentSeconds);
  return { type: 'time', offsetSeconds: (receivedThere + (sentThere - takenSeconds)) / 2 };
}

/** A time of the server less a time of ours. NTP's seconds begin anew in 2036: the nearest turn is meant. */
function fromOurs(packet: Buffer, place: number, ourSeconds: number): number {
  const whole = Math.floor(ourSeconds);
  const difference = (packet.readUInt32BE(place) - ((whole + NTP_TO_UNIX_SECONDS) >>> 0)) | 0;
  return difference + packet.readUInt32BE(place + 4) / 2 ** 32 - (ourSeconds - whole);
}

async function aborting<T>(work: Promise<T>, deadline: AbortSignal): Promise<T> {
  deadline.throwIfAborted();
  let abort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(deadline.reason);
    deadline.addEventListener('abort', abort);
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    deadline.removeEventListener('abort', abort);
  }
}
