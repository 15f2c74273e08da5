/** `npm run docs`: writes the pages of docs/ that are generated. Tests find them out of date. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { referencePage } from '../catalogue/reference.ts';
import { commandsPage } from './commands-page.ts';
import { eventsPage } from './events-page.ts';

const pages = { 'metrics.md': referencePage, 'events.md': eventsPage, 'commands.md': commandsPage };
for (const [name, page] of Object.entries(pages))
  writeFileSync(join(import.meta.dirname, '../../docs', name), page());
