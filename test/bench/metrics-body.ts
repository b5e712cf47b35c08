/** A post's body of so many metrics as plugins usually print them: a few tags, a number. */
export function metricsBody(count: number): Buffer {
  const timestamp = Math.floor(Date.now() / 1000);
  const metrics = Array.from({ length: count }, (_, index) => ({
    name: `disk.io.read.${index % 50}`,
    timestamp,
    tags: { device: `sd${index % 8}`, mount: `/data/${index % 8}`, service: 'bench' },
    value: index * 1.5,
  }));
  return Buffer.from(JSON.stringify(metrics));
}
