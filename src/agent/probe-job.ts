/** Job: looks at the hardware in a process that ends, since some of it is read through heavy libraries. */
import { hardwareFingerprint } from '../hardware/fingerprint.ts';
import { probe } from '../hardware/probe.ts';
import { serveJob } from '../lib/child/job.ts';

await serveJob(async () => {
  const report = await probe({ root: '/' });
  return { report, fingerprint: hardwareFingerprint(report) };
});
