import type { Log } from '../../shared/log.js';
import type { OutputSettings } from '../../shared/output-settings.js';
import { FileSink } from './outputs/file-sink.js';
import { GoOutput } from './outputs/go/go-output.js';
import type { OutputHosts } from './outputs/go/output-hosts.js';
import { InfluxdbOutput } from './outputs/influxdb-output.js';
import { LineOutput } from './outputs/line-output.js';
import { NsqOutput } from './outputs/nsq-output.js';
import type { Output } from './outputs/output.js';
import { StdoutSink } from './outputs/stdout-sink.js';

/**
 * Opens the output that the settings name.
 * @param hosts what the instances of Golang output plugins share
 */
export function openOutput(settings: OutputSettings, hosts: OutputHosts, log: Log): Output {
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
      return new GoOutput(settings.alias, settings, hosts, log);
  }
}
