const BUILT_IN: readonly string[] = (
  'azure azure_blob azure_kusto azure_logs_ingestion bigquery chronicle cloudwatch_logs counter datadog es exit file ' +
  'flowcounter forward gelf http influxdb kafka kafka-rest kinesis_firehose kinesis_streams lib logdna loki nats ' +
  'newrelic nrlogs null opensearch opentelemetry oracle_log_analytics pgsql plot prometheus_exporter ' +
  'prometheus_remote_write s3 skywalking slack splunk stackdriver stdout syslog td tcp udp vivo_exporter websocket'
).split(' ');

/** True for the name of an output that is built into Fluent Bit, in whichever case. */
export function isBuiltInOutput(name: string): boolean {
  return BUILT_IN.includes(name.toLowerCase());
}
