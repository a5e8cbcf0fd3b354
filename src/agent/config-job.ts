/** Job: reads the configuration, so that the YAML and schema libraries take memory and time in a process that ends. */
import { loadConfig } from '../config/load.ts';
import { serveJob } from '../lib/child/job.ts';

await serveJob(({ path }: { path: string }) => loadConfig(path), { nice: 0 });
