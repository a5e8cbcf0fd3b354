import { cleanText } from './kernel-values.ts';

/** A PCI GPU as lspci or nvidia-smi name it. */
export interface NamedGpu {
  /** PCI address, with or without domain. */
  readonly address: string;
  readonly model: string;
  readonly memoryBytes: number | undefined;
}

const TIMEOUT_MS = 3000;

/**
 * Marketing names and memory of PCI GPUs, which sysfs does not tell, from `systeminformation` (it runs lspci and
 * nvidia-smi where they are installed). Empty when it has no answer in time.
 */
export async function askPciGpus(): Promise<NamedGpu[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), TIMEOUT_MS);
  });
  try {
    const { graphics } = await import('systeminformation');
    const answer = await Promise.race([graphics(), late]);
    return (answer?.controllers ?? []).flatMap((controller) => {
      const model = cleanText(controller.model);
      const address = cleanText(controller.busAddress);
      if (model === undefined || address === undefined) return [];
      const memoryBytes = controller.vram ? controller.vram * 1024 * 1024 : undefined;
      return [{ address: address.toLowerCase(), model, memoryBytes }];
    });
  } catch {
    return [];
  } finally {
    clearTimeout(timer);
  }
}
