import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../src/lib/paths.ts';

/**
 * Where the larger test assets lie (models and labelled data that are not part of the repository):
 * `SELVAGE_ASSETS`, else `../shared/assets` beside the checkout; undefined where there are none.
 */
export const assetsDir: string | undefined = [
  process.env['SELVAGE_ASSETS'],
  join(packageRoot, '../shared/assets'),
].find((path): path is string => path !== undefined && existsSync(join(path, 'manifest.json')));

/** `skip` option for a test that needs the assets: false, or the reason to print. */
export const skipWithoutAssets: false | string =
  assetsDir === undefined ? 'no assets (set SELVAGE_ASSETS to run this test)' : false;
