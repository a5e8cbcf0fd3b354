import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { packageRoot } from '../lib/paths.ts';
import { hardwareFingerprint, memoryClassBytes } from './fingerprint.ts';
import type { HardwareReport } from './hardware-report.ts';

const fixtures = join(packageRoot, 'test/fixtures/hardware');

/** The golden report of a machine, changed by a person's hand. */
function report(machine: string, change: (draft: Draft) => void = () => {}): HardwareReport {
  const draft = JSON.parse(readFileSync(join(fixtures, `${machine}.json`), 'utf8'));
  change(draft);
  return draft;
}

// biome-ignore lint/suspicious/noExplicitAny: a report from JSON, to be changed anywhere
type Draft = any;

const MIB = 1024 * 1024;

describe('hardwareFingerprint', () => {
  const original = hardwareFingerprint(report('jetson-orin-nano'));

  it('differs between all machines', () => {
    const machines = readdirSync(fixtures).filter((name) => name.endsWith('.json'));
    const prints = machines.map((name) => hardwareFingerprint(report(name.slice(0, -'.json'.length))));
    assert.equal(new Set(prints).size, 7);
    for (const print of prints) assert.match(print, /^[0-9a-f]{32}$/);
  });

  const same: Record<string, (draft: Draft) => void> = {
    temperatures: (draft) => {
      draft.temperatures.data[0].celsius = 98;
    },
    'free memory and swap': (draft) => {
      draft.memory.data.availableBytes = 1;
      draft.memory.data.swapFreeBytes = 1;
    },
    'a few MiB of total memory': (draft) => {
      draft.memory.data.totalBytes -= 200 * MIB;
    },
    throttling: (draft) => {
      draft.throttling = { status: 'none' };
    },
    'a frequency lowered by heat': (draft) => {
      for (const cluster of draft.cpu.data.clusters) cluster.limitMhz = 700;
      draft.gpus.data[0].maxMhz = 306;
    },
    'GPU load and clock': (draft) => {
      draft.gpus.data[0].loadPercent = 100;
      draft.gpus.data[0].currentMhz = 918;
    },
    'how its cores are grouped': (draft) => {
      const [first, second] = draft.cpu.data.clusters;
      draft.cpu.data.clusters = [{ ...first, cpus: [...first.cpus, ...second.cpus] }];
    },
    'disks, rails, system and identity': (draft) => {
      draft.storage = { status: 'none' };
      draft.powerRails = { status: 'none' };
      draft.os.data.kernel = '6.8';
      draft.board.data.machineId = 'other';
    },
  };
  for (const [what, change] of Object.entries(same)) {
    it(`stays with other ${what}`, () => {
      assert.equal(hardwareFingerprint(report('jetson-orin-nano', change)), original);
    });
  }

  const other: Record<string, (draft: Draft) => void> = {
    board: (draft) => {
      draft.board.data.model = 'NVIDIA Jetson Orin NX';
    },
    'CPU part': (draft) => {
      draft.cpu.data.clusters[0].partId = '0x41:0xd08';
    },
    'CPU feature': (draft) => {
      draft.cpu.data.features.pop();
    },
    'number of cores': (draft) => {
      draft.cpu.data.clusters[1].cpus.pop();
    },
    'largest frequency': (draft) => {
      draft.cpu.data.clusters[0].maxMhz = 1510;
    },
    'memory size': (draft) => {
      draft.memory.data.totalBytes /= 2;
    },
    GPU: (draft) => {
      draft.gpus = { status: 'none' };
    },
    'power mode': (draft) => {
      draft.powerMode.data = { ...draft.powerMode.data, id: 2, name: 'MAXN_SUPER' };
    },
  };
  for (const [what, change] of Object.entries(other)) {
    it(`changes with another ${what}`, () => {
      assert.notEqual(hardwareFingerprint(report('jetson-orin-nano', change)), original);
    });
  }

  it('has a value for a machine that tells nothing', () => {
    const nothing = report('pi-5', (draft) => {
      for (const part of Object.keys(draft)) draft[part] = { status: 'none' };
    });
    assert.match(hardwareFingerprint(nothing), /^[0-9a-f]{32}$/);
  });
});

describe('memoryClassBytes', () => {
  const rows: [totalMib: number, classMib: number][] = [
    [417, 512],
    [922, 1024],
    [1848, 2048],
    [3793, 4096],
    [8052, 8192],
    [11800, 12288],
    [12288, 12288],
    [62841, 65536],
  ];
  for (const [total, expected] of rows) {
    it(`${total} MiB are of the ${expected} MiB class`, () => {
      assert.equal(memoryClassBytes(total * MIB), expected * MIB);
    });
  }

  it('has no class without a total', () => {
    assert.equal(memoryClassBytes(undefined), undefined);
    assert.equal(memoryClassBytes(0), undefined);
  });
});
