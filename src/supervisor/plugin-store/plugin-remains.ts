import { readdir, rm } from 'node:fs/promises';
import { codeOf, reasonOf } from '../../shared/coded-error.js';
import { removeIfEmpty } from './folder-tree.js';
import { type PluginPlace, STATE } from './plugin-place.js';
import { setStateAside } from './state-removal.js';
import type { StoreParts } from './store-parts.js';

/** Removes what nobody needs of a plugin: its old versions, and the rest with the last of them once it is gone. */
export class PluginRemains {
  readonly #place: PluginPlace;
  readonly #parts: StoreParts;
  #isRemoval = false;
  /** Where its state folder waits to be removed. */
  #stateLeft: string | undefined;

  constructor(place: PluginPlace, parts: StoreParts) {
    this.#place = place;
    this.#parts = parts;
  }

  /** The plugin is gone. Its state is out of the way of a plugin of the same name afterwards: what runs writes to nowhere. */
  async beginRemoval(): Promise<void> {
    this.#isRemoval = true;
    this.#stateLeft = await this.#setStateAside();
  }

  /** Removes a version that no run has any more; with it goes the rest, when the plugin is gone. */
  async removeVersion(folder: string): Promise<void> {
    try {
      await rm(folder, { recursive: true, force: true });
    } catch (error) {
      this.#warn(`old version ${folder} could not be removed: ${reasonOf(error)}`);
    }
    if (this.#isRemoval) await this.removeRest();
  }

  /** Removes the state that was set aside, and the folders that are empty now. */
  async removeRest(): Promise<void> {
    const left = [this.#stateLeft, await this.#lateState()];
    this.#stateLeft = undefined;
    for (const folder of left) if (folder !== undefined) this.#parts.removeStateLeft(folder);
    const { versionsFolder, namespaceFolder } = this.#place;
    if (await removeIfEmpty(versionsFolder)) await removeIfEmpty(namespaceFolder);
  }

  /**
   * A run that was on its way when the plugin went has made the state folder anew. With anything beside it, it is that of
   * a plugin of the same name.
   */
  async #lateState(): Promise<string | undefined> {
    const names = await readdir(this.#place.versionsFolder).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') this.#warn(`what is left cannot be seen: ${reasonOf(error)}`);
      return [];
    });
    return names.length === 1 && names[0] === STATE ? this.#setStateAside() : undefined;
  }

  async #setStateAside(): Promise<string | undefined> {
    const { key, stateFolder } = this.#place;
    try {
      return await setStateAside(this.#parts.folder, stateFolder);
    } catch (error) {
      this.#warn(`state folder ${stateFolder} of plugin ${key} could not be removed: ${reasonOf(error)}`);
      return undefined;
    }
  }

  #warn(sentence: string): void {
    const { project, namespace } = this.#place;
    this.#parts.log.warn({ plugin: project, namespace }, sentence);
  }
}
