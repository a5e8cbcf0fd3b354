import type { PowerMode } from '../hardware-report.ts';
import { cleanText } from '../kernel-values.ts';
import { dataOf, failed, found, type Outcome } from '../outcome.ts';
import { type RootFiles, readText } from '../root-files.ts';

/** Reads the power mode that nvpmodel set on a Jetson, and which others there are. */
export async function collectPowerMode(files: RootFiles): Promise<Outcome<PowerMode>> {
  const status = await readText(files, '/var/lib/nvpmodel/status', 256);
  if (status.status !== 'ok') return status;
  const id = parsePowerModeStatus(status.data);
  if (id === undefined) return failed('/var/lib/nvpmodel/status holds no pmode');
  const available = parsePowerModels(dataOf(await readText(files, '/etc/nvpmodel.conf')) ?? '');
  return found({ id, name: available.find((mode) => mode.id === id)?.name, available });
}

/** `pmode:0002` as 2. */
export function parsePowerModeStatus(text: string): number | undefined {
  const match = /^pmode:(\d{1,4})\b/m.exec(text);
  return match === null ? undefined : Number(match[1]);
}

/** The modes of nvpmodel.conf: lines such as `< POWER_MODEL ID=0 NAME=15W >`. */
export function parsePowerModels(text: string): { id: number; name: string }[] {
  const modes: { id: number; name: string }[] = [];
  const pattern = /^[ \t]*<[ \t]*POWER_MODEL[ \t]+ID=(\d{1,4})[ \t]+NAME=([^\s>]{1,60})/gm;
  for (const match of text.matchAll(pattern)) {
    const name = cleanText(match[2]);
    if (name !== undefined) modes.push({ id: Number(match[1]), name });
  }
  return modes;
}
