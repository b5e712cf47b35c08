import type { HostPoint, HostType } from '../host-type.js';
import { kernelFolder, readKernelFile, readNumberFile, readShortKernelFile } from '../kernel-file.js';

/** Uptime and temperatures. */
export const hostType: HostType<undefined> = {
  type: 'SYSTEM',
  intervalSeconds: 60,
  read(_previous, { places }) {
    return { points: [...timePoints(places.proc), ...temperaturePoints(places.sys)], state: undefined };
  },
};

function timePoints(proc: string): HostPoint[] {
  const uptime = Number.parseFloat(readShortKernelFile(`${proc}/uptime`) ?? '');
  const bootTime = /^btime ([0-9]+)/m.exec(readKernelFile(`${proc}/stat`) ?? '')?.[1];
  return [
    ...(Number.isFinite(uptime) ? [{ name: 'system.uptime', value: Math.floor(uptime) }] : []),
    ...(bootTime === undefined ? [] : [{ name: 'system.boottime', value: Number(bootTime) }]),
  ];
}

/** Of thermal zones, and where there are none of the sensors of chips; both are in thousandths of a degree. */
function temperaturePoints(sys: string): HostPoint[] {
  const zones = kernelFolder(`${sys}/class/thermal`).filter((name) => name.startsWith('thermal_zone'));
  const points = zones.flatMap((zone) => {
    const folder = `${sys}/class/thermal/${zone}`;
    const type = readShortKernelFile(`${folder}/type`)?.trim() ?? 'zone';
    return temperaturePoint(readNumberFile(`${folder}/temp`), `${type}-${zone.slice(12)}`);
  });
  return points.length > 0 ? points : chipPoints(`${sys}/class/hwmon`);
}

function chipPoints(folder: string): HostPoint[] {
  return kernelFolder(folder).flatMap((chip) => {
    const name = readShortKernelFile(`${folder}/${chip}/name`)?.trim() ?? chip;
    const inputs = kernelFolder(`${folder}/${chip}`).filter((file) => /^temp[0-9]+_input$/.test(file));
    return inputs.flatMap((input) => {
      const sensor = `${name}-${chip.replace('hwmon', '')}-${input.slice(4, -6)}`;
      return temperaturePoint(readNumberFile(`${folder}/${chip}/${input}`), sensor);
    });
  });
}

function temperaturePoint(thousandths: number | undefined, sensor: string): HostPoint[] {
  if (thousandths === undefined) return [];
  return [{ name: 'system.temperature', value: thousandths / 1000, tags: { sensor } }];
}
