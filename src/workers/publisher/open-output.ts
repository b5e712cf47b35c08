import { CodedError } from '../../shared/coded-error.js';
import type { Log } from '../../shared/log.js';
import type { OutputSettings } from '../../shared/output-settings.js';
import { FileSink } from './outputs/file-sink.js';
import { InfluxdbOutput } from './outputs/influxdb-output.js';
import { LineOutput } from './outputs/line-output.js';
import { NsqOutput } from './outputs/nsq-output.js';
import type { Output } from './outputs/output.js';
import { StdoutSink } from './outputs/stdout-sink.js';

/** Opens the output that the settings name. */
export function openOutput(settings: OutputSettings, log: Log): Output {
  switch (settings.name) {
    case 'nsq':
      return new NsqOutput(settings.alias, settings, log);
    case 'influxdb':
      return new InfluxdbOutput(settings.alias, settings, log);
    case 'stdout':
      return new LineOutput(settings.alias, new StdoutSink(), log);
    case 'file':
      return new LineOutput(settings.alias, new FileSink(settings.path), log);
    case 'go':
      throw new CodedError(
        'config',
        `output ${settings.alias}: Golang output plugins are not in this version yet`,
      );
  }
}
