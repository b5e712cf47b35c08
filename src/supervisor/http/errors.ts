import { CodedError } from '../../shared/coded-error.js';

/** Every code that an answer can carry, and the HTTP status it has. */
export const STATUS_OF_CODE = {
  'bad-request': 400,
  'bad-parameter': 400,
  'bad-namespace': 400,
  'empty-body': 400,
  'not-json': 400,
  'bad-metric': 400,
  'bad-encoding': 400,
  unauthorized: 401,
  'other-host': 403,
  'foreign-page': 403,
  'foreign-namespace': 403,
  'unknown-path': 404,
  'unknown-plugin': 404,
  'method-not-allowed': 405,
  'request-timeout': 408,
  running: 409,
  stream: 409,
  'too-large': 413,
  'unsupported-encoding': 415,
  'unsupported-form': 415,
  'unsupported-expectation': 417,
  refused: 422,
  'headers-too-large': 431,
  internal: 500,
  state: 500,
  registry: 502,
  'plugin-store': 502,
  'address-refused': 502,
  'git-failed': 502,
  'git-missing': 502,
  'git-start': 502,
  'git-timeout': 502,
  'place-taken': 502,
  'plugin-missing': 502,
  'plugin-name': 502,
  'plugin-not-a-file': 502,
  'plugin-not-executable': 502,
  'plugin-removed': 502,
  'plugin-replaced': 502,
  'plugin-vanished': 502,
  'repository-empty': 502,
  'repository-too-large': 502,
  busy: 503,
  closing: 503,
  stopping: 503,
} as const satisfies Readonly<Record<string, number>>;

/** A code that an answer can carry. */
export type ErrorCode = keyof typeof STATUS_OF_CODE;

/** What can keep the plugin store from fetching a plugin. */
export const FETCH_FAILURES = [
  'address-refused',
  'git-failed',
  'git-missing',
  'git-start',
  'git-timeout',
  'place-taken',
  'plugin-missing',
  'plugin-name',
  'plugin-not-a-file',
  'plugin-not-executable',
  'plugin-removed',
  'plugin-replaced',
  'plugin-store',
  'plugin-vanished',
  'repository-empty',
  'repository-too-large',
  'closing',
] as const satisfies readonly ErrorCode[];

/** What stands under `error` of an answer that is not ok. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  /** Place of a bad metric in its list. */
  readonly index?: number;
  /** What is wrong with it. */
  readonly reason?: string;
}

/** An expected failure of a request, ready to be answered. */
export class RequestError extends CodedError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(code, message);
    this.status = STATUS_OF_CODE[code];
    this.headers = headers;
  }
}

/** What is answered to something that was thrown, and whether that deserves a line in the log. */
export interface FailureAnswer {
  readonly status: number;
  readonly failure: Failure;
  readonly headers: Readonly<Record<string, string>>;
  readonly unexpected: boolean;
}

const GENERIC = 'the agent failed to handle the request; its log says more';
const RETRY_AFTER_SECONDS = '1';

/** Makes an answer of anything thrown; what was not expected says nothing about its cause to the client. */
export function failureAnswer(thrown: unknown): FailureAnswer {
  if (!(thrown instanceof CodedError)) {
    return { status: 500, failure: { code: 'internal', message: GENERIC }, headers: {}, unexpected: true };
  }
  const failure = { code: thrown.code, message: thrown.message };
  if (thrown instanceof RequestError) {
    return { status: thrown.status, failure, headers: thrown.headers, unexpected: false };
  }
  const status = isErrorCode(thrown.code) ? STATUS_OF_CODE[thrown.code] : 500;
  const headers = status === 503 ? { 'Retry-After': RETRY_AFTER_SECONDS } : {};
  return { status, failure, headers, unexpected: status === 500 };
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(STATUS_OF_CODE, code);
}
