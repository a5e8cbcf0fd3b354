import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { machineIdentity, parseL4tRelease } from './board.ts';
import { parseCpuinfo } from './cpu.ts';
import { parsePressure } from './memory.ts';
import { parseGlibcVersion } from './operating-system.ts';
import { parsePowerModels, parsePowerModeStatus } from './power-mode.ts';
import { parseLifeTime, parseMounts } from './storage.ts';
import { parseGetThrottled } from './throttling.ts';

describe('parseGetThrottled', () => {
  const bits = (text: string): string | undefined => {
    const word = parseGetThrottled(text);
    if (word === undefined) return undefined;
    const names = ['underVoltage', 'frequencyCapped', 'throttled', 'softTemperatureLimit'] as const;
    const set = (state: typeof word.now) => names.map((name) => (state[name] ? '1' : '0')).join('');
    return `${set(word.now)} ${set(word.sinceBoot)}`;
  };
  const rows: [text: string, nowAndSinceBoot: string | undefined][] = [
    ['0\n', '0000 0000'],
    ['1', '1000 0000'],
    ['50005\n', '1010 1010'],
    ['throttled=0x50000\n', '0000 1010'],
    ['e0008', '0001 0111'],
    ['f000f', '1111 1111'],
    ['0xFFFFFFFF', '1111 1111'],
    ['', undefined],
    ['throttled=', undefined],
    ['error: VCHI initialization failed', undefined],
    ['5000500050', undefined],
  ];
  for (const [text, expected] of rows) {
    it(`${JSON.stringify(text)} → ${expected}`, () => assert.equal(bits(text), expected));
  }
});

describe('parseCpuinfo', () => {
  it('reads a 32-bit Arm kernel', () => {
    const [processor] = parseCpuinfo(
      'processor\t: 0\nmodel name\t: ARMv7 Processor rev 3 (v7l)\nFeatures\t: half neon vfpv4 \nCPU implementer\t: 0x41\nCPU part\t: 0xd08\n\nHardware\t: BCM2711\n',
    );
    assert.equal(processor?.model, 'Cortex-A72');
    assert.ok(processor?.flags.has('neon'));
  });

  it('keeps the number of a part it has no name for', () => {
    const [processor] = parseCpuinfo('processor: 0\nCPU implementer: 0x99\nCPU part: 0xABC\n');
    assert.deepEqual([processor?.model, processor?.vendor], ['0x99:0xabc', undefined]);
  });

  it('ignores blocks without a processor', () => {
    assert.deepEqual(parseCpuinfo('Hardware: x\n\nprocessor: many\n\n\0\n'), []);
  });
});

describe('machineIdentity', () => {
  const id = '1f0d3b5a7c9e4812a6b4c2d0e8f61735';

  it('depends on the machine id and on the serial number', () => {
    const identities = [
      machineIdentity(id, '10000000a0b1c2d3'),
      machineIdentity(id, '10000000a0b1c2d4'),
      machineIdentity(id.replace('1f', '2f'), '10000000a0b1c2d3'),
      machineIdentity(id, undefined),
    ];
    assert.equal(new Set(identities).size, 4);
    for (const identity of identities) assert.match(identity ?? '', /^[0-9a-f]{32}$/);
  });

  it('is none without a machine id: a serial number alone could be guessed from its hash', () => {
    assert.equal(machineIdentity(undefined, '10000000a0b1c2d3'), undefined);
    assert.equal(machineIdentity('uninitialized', '10000000a0b1c2d3'), undefined);
  });
});

describe('parseL4tRelease', () => {
  it('reads the release and nothing else', () => {
    assert.equal(parseL4tRelease('# R35 (release), REVISION: 3.1, GCID: 1, BOARD: t186ref'), 'R35.3.1');
    assert.equal(parseL4tRelease('# R39 (release), REVISION: 0, GCID: 1, BOARD: generic'), 'R39.0');
    assert.equal(parseL4tRelease('R35'), undefined);
  });
});

describe('parsePressure', () => {
  it('reads both lines, or the first alone as older kernels have it for the CPU', () => {
    assert.deepEqual(parsePressure('some avg10=1.25 avg60=0.40 avg300=0.11 total=8\n'), {
      some10sPercent: 1.25,
      some60sPercent: 0.4,
      full10sPercent: undefined,
      full60sPercent: undefined,
    });
  });

  it('has none in what is malformed', () => {
    for (const text of [
      '',
      'some',
      'some avg10=x avg60=1',
      'some avg10=-1.0 avg60=1.00',
      'full avg10=1 avg60=1',
    ]) {
      assert.equal(parsePressure(text), undefined, text);
    }
  });
});

describe('parsePowerModels', () => {
  it('reads the modes and not what is commented out', () => {
    const text =
      '# < POWER_MODEL ID=9 NAME=OLD >\n< POWER_MODEL ID=0 NAME=15W >\n<POWER_MODEL ID=2 NAME=MAXN_SUPER>\n';
    assert.deepEqual(parsePowerModels(text), [
      { id: 0, name: '15W' },
      { id: 2, name: 'MAXN_SUPER' },
    ]);
  });

  it('reads the status', () => {
    assert.equal(parsePowerModeStatus('pmode:0002\n'), 2);
    assert.equal(parsePowerModeStatus('pmode:\n'), undefined);
  });
});

describe('parseMounts', () => {
  it('keeps what is on a device, the root, and the first of bind mounts', () => {
    const mounts = parseMounts(
      [
        'overlay / overlay rw,relatime 0 0',
        '/dev/sda1 /mnt/field\\040data ext4 ro,noatime 0 0',
        '/dev/sda1 /etc/hosts ext4 rw 0 0',
        'tmpfs /run tmpfs rw 0 0',
        '/dev/loop3 /snap/x squashfs ro 0 0',
        'garbage',
      ].join('\n'),
    );
    assert.deepEqual(mounts, [
      { mountPoint: '/', source: 'overlay', type: 'overlay', readOnly: false },
      { mountPoint: '/mnt/field data', source: '/dev/sda1', type: 'ext4', readOnly: true },
    ]);
  });
});

describe('parseLifeTime', () => {
  const rows: [string, number | undefined][] = [
    ['0x02 0x01', 20],
    ['0x01 0x0b', 100],
    ['0x00 0x00', undefined],
    ['2 1', undefined],
    ['', undefined],
  ];
  for (const [text, expected] of rows) {
    it(`${text} → ${expected}`, () => assert.equal(parseLifeTime(text), expected));
  }
});

describe('parseGlibcVersion', () => {
  it('finds the version in the library, whatever surrounds it', () => {
    const library = (text: string) =>
      Buffer.concat([Buffer.alloc(5000, 7), Buffer.from(text), Buffer.alloc(99)]);
    const words = 'GNU C Library (Debian GLIBC 2.41-12) stable release version 2.41.\n';
    assert.equal(parseGlibcVersion(library(words)), '2.41');
    assert.equal(parseGlibcVersion(library('GNU C Library')), undefined);
    assert.equal(parseGlibcVersion(library('')), undefined);
  });
});
