/** Where the kernel and the login programs write what is measured. Tests put recorded trees in their place. */
export interface Places {
  readonly proc: string;
  readonly sys: string;
  /** Logins, and failed ones. */
  readonly wtmp: string;
  readonly btmp: string;
}

/** Of a live machine. */
export const LIVE_PLACES: Places = {
  proc: '/proc',
  sys: '/sys',
  wtmp: '/var/log/wtmp',
  btmp: '/var/log/btmp',
};
