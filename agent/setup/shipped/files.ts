/** What config/ ships and is generated: text by path from the root of the project. */
import { ruleFiles } from './rule-files.ts';

export const shippedFiles = (): Readonly<Record<string, string>> => ({ ...ruleFiles() });
