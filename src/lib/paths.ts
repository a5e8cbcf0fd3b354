import { fileURLToPath } from 'node:url';

/** The directory of the installed package: where `config/`, `examples/` and `systemd/` lie. */
export const packageRoot = fileURLToPath(new URL('../../../', import.meta.url));
