/** What an agent in the background tells the command that started it, once. */
export type DaemonMessage =
  | { readonly type: 'up'; readonly pid: number; readonly tcpAddress: string; readonly socketPath: string }
  | { readonly type: 'failed'; readonly message: string; readonly code: string };
