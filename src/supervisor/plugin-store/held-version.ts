import type { Version } from './version.js';

/** A version that a run holds: it stays on disk until `release` was called. */
export interface HeldVersion {
  /** The version's own folder, which no update changes. */
  readonly folder: string;
  /** Full hash of its commit. */
  readonly version: string;
  /** SHA-256 of its `plugin` when it was fetched; undefined where that was not noted. */
  readonly sha256: string | undefined;
  /** The plugin's state folder, which all of its versions share; it need not be there yet. */
  readonly stateFolder: string;
  /** Gives it back; a second call does nothing. */
  release(): void;
}

/** Counts the runs of one version, and lets it go when it is retired and the last of them has ended. */
export class VersionInUse {
  readonly version: Version;
  readonly #letGo: (version: Version) => void;
  #holders = 0;
  #retired = false;

  constructor(version: Version, letGo: (version: Version) => void) {
    this.version = version;
    this.#letGo = letGo;
  }

  hold(stateFolder: string): HeldVersion {
    let held = true;
    this.#holders += 1;
    const release = () => {
      if (!held) return;
      held = false;
      this.#holders -= 1;
      if (this.#retired && this.#holders === 0) this.#letGo(this.version);
    };
    const { folder, commit, sha256 } = this.version;
    return { folder, version: commit, sha256, stateFolder, release };
  }

  /** No new run gets it; it goes now or with its last run. */
  retire(): void {
    if (this.#retired) return;
    this.#retired = true;
    if (this.#holders === 0) this.#letGo(this.version);
  }
}
