import { closeSync, openSync } from 'node:fs';
import koffi from 'koffi';

const MNT_DETACH = 2;

/** Mounts a file system of FUSE, to be served by whoever reads the descriptor that is returned. For root only. */
export function mountFuse(path: string): number {
  const device = openSync('/dev/fuse', 'r+');
  const mount = koffi
    .load('libc.so.6')
    .func('int mount(const char *, const char *, const char *, unsigned long, const char *)');
  const options = `fd=${device},rootmode=40000,user_id=0,group_id=0`;
  if (mount('agent-test', path, 'fuse.agenttest', 0, options) === 0) return device;
  closeSync(device);
  throw new Error(`could not mount ${path}: error ${koffi.errno()}`);
}

/** Nobody finds it any more; it is gone when the last one that uses it is. */
export function detachFuse(path: string): void {
  koffi.load('libc.so.6').func('int umount2(const char *, int)')(path, MNT_DETACH);
}
