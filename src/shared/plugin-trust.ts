/** What the registry pins a plugin to; what it does not name may be anything. */
export interface PluginPin {
  /** Full hash of the commit, lower case. */
  readonly commit?: string;
  /** SHA-256 of the file `plugin`, 64 hexadecimal digits, lower case. */
  readonly sha256?: string;
}

/** What a runner needs to know to judge whether a plugin's file may be run. */
export interface PluginTrust {
  /**
   * Folder of all plugins. Nobody but root and the agent's user may be able to write to it, nor to anything on the way
   * from there to the plugin's file.
   */
  readonly storeFolder: string;
  /** Full hash of the commit that was fetched. */
  readonly commit: string;
  /** SHA-256 of `plugin` when it was fetched; undefined: it was not noted. */
  readonly fetchedSha256: string | undefined;
  readonly pin: PluginPin | undefined;
}
