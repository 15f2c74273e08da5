/** `npm run docs`: writes the pages of docs/ that are generated. A test finds them out of date. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { referencePage } from '../catalogue/reference.ts';

writeFileSync(join(import.meta.dirname, '../../docs/metrics.md'), referencePage());
