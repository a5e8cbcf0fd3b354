import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { loadConfig } from '../src/config/load.ts';
import { packageRoot } from '../src/lib/paths.ts';
import { type Classifier, openClassifier } from './classifier.ts';

const examples = join(packageRoot, 'examples');
const images = readdirSync(join(examples, 'images'));

/** Name of the class that a sample image shows, as its file is named: `t-shirt-top`. */
function shown(file: string): string {
  return file.replace(/(-large|-sideways)?\.(png|jpg)$/, '');
}

async function best(classifier: Classifier, file: string): Promise<string> {
  const mediaType = file.endsWith('.png') ? 'image/png' : 'image/jpeg';
  const body = readFileSync(join(examples, 'images', file));
  const [prediction] = await classifier.classify({ mediaType, body });
  return (prediction?.label ?? '').toLowerCase().replace(/[^a-z0-9]+/g, '-');
}

describe('examples', () => {
  it('has a configuration that holds, with an image of every class and the JPEG path', async () => {
    const { config } = await loadConfig(join(examples, 'selvage.yaml'));
    const { clothes } = config.models;
    assert.ok(clothes?.variants !== undefined && clothes.task !== undefined);
    assert.ok(config.server.http.socket.startsWith(examples));
    const labels = readFileSync(String(clothes.task.labels), 'utf8').trim().split('\n');
    assert.equal(labels.length, 10);
    assert.equal(new Set(images.map(shown)).size, 10);
    assert.ok(images.some((file) => file.endsWith('.jpg')));
  });

  it('recognizes every sample image with every variant', async () => {
    const { config } = await loadConfig(join(examples, 'selvage.yaml'));
    const { variants = {}, task } = config.models['clothes'] ?? {};
    for (const [name, { source }] of Object.entries(variants)) {
      const classifier = await openClassifier(source, { ...task });
      for (const file of images) assert.equal(await best(classifier, file), shown(file), `${name}: ${file}`);
      await classifier.close();
    }
  });
});
