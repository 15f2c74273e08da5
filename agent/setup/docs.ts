/** `npm run docs`: writes the generated pages of docs/ and files of config/. Tests fail if they are out of date. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { referencePage } from '../../collectors/catalogue/reference.ts';
import { score, scoreSection } from '../../test/forecast/score.ts';
import { alertsPage } from './alerts-page.ts';
import { commandsPage } from './commands-page.ts';
import { eventsPage } from './events-page.ts';
import { licensesPage } from './licenses-page.ts';
import { privilegesPage } from './privileges-page.ts';
import { shippedFiles } from './shipped/files.ts';

const files = {
  'docs/metrics.md': referencePage(),
  'docs/events.md': eventsPage(),
  'docs/commands.md': commandsPage(),
  'docs/privileges.md': privilegesPage(),
  'docs/licenses.md': licensesPage(),
  'docs/alerts.md': alertsPage(scoreSection(score())),
  ...shippedFiles(),
};
for (const [path, text] of Object.entries(files)) {
  const file = join(import.meta.dirname, '../..', path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
