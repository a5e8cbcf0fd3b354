import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runMounted, skipWithoutMounts } from '../../test/program.ts';
import { temporaryDirectory } from '../../test/temporary-directory.ts';

interface Fault {
  readonly code: string;
  readonly message: string;
}

interface Report {
  readonly faults: readonly string[];
  readonly reserveBefore: boolean;
  readonly writesOnReserve: null;
  readonly reserveTaken: boolean;
  readonly retention: { deletedRows: number };
  readonly stateFull: Fault;
  readonly logWaits: boolean;
  readonly import: Fault;
  readonly statistics: { written: number; dropped: number };
  readonly stateAfter: boolean;
  readonly reserveAfter: boolean;
  readonly rows: number;
}

describe('a full disk', () => {
  it('stops nothing but the writing, and that only until there is room', { skip: skipWithoutMounts }, (t) => {
    const directory = temporaryDirectory(t);
    const mount = `mount -t tmpfs -o size=12m none ${directory}`;
    const report = runMounted(mount, 'full-disk', directory, temporaryDirectory(t)) as Report;

    assert.equal(report.reserveBefore, true);
    assert.equal(report.writesOnReserve, null, 'a write finds room in the reserve');
    assert.equal(report.reserveTaken, true);
    assert.equal(report.retention.deletedRows, 4000, 'old rows are deleted on a full disk');

    assert.equal(report.stateFull.code, 'STATE_UNAVAILABLE');
    assert.match(report.stateFull.message, /state\.db: no space left on the disk/);
    assert.equal(report.logWaits, true);
    assert.ok(report.faults.length > 0 && report.faults.every((code) => code === 'STATE_UNAVAILABLE'));
    assert.equal(report.import.code, 'STATE_UNAVAILABLE');
    assert.match(report.import.message, /model 'm' needs 10\.0 MiB of disk, 0\.0 MiB are free/);

    assert.equal(report.statistics.dropped, 0);
    assert.equal(report.statistics.written, 13_000);
    assert.equal(report.rows, 9000, 'the rows that waited are written once there is room');
    assert.equal(report.stateAfter, true);
    assert.equal(report.reserveAfter, true);
  });
});
