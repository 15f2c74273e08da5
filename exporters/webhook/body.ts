/** What is posted of an alert, by format. */

import type { Webhook } from '../../config/alert-receivers.ts';
import { type AlertJson, alertFromJson } from '../alerts/alert.ts';
import { alertUid } from '../alerts/record.ts';
import { createTemplateView, formatMemory, formatValue, renderJsonTemplate } from '../alerts/text.ts';

/** Of the log, in a chat: characters. Discord takes 1024 in a field. */
const MAX_LOG = 900;
const MAX_TEXT = 2000;

const COLOURS = { critical: '#d32f2f', warning: '#f9a825', info: '#1976d2', resolved: '#388e3c' } as const;
/** Looks like a backtick, and ends no code block. */
const LIKE_BACKTICK = '\u02cb';

interface Message {
  readonly title: string;
  readonly text: string;
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly log: string;
  readonly colour: string;
}

function messageOf(alert: AlertJson): Message {
  const { rule, severity, status, container, resource, annotations, evidence, value, unit, labels } = alert;
  const isResolved = status === 'resolved';
  const name = container?.name ?? String(resource['host.name'] ?? 'host');
  const facts: [string, string | undefined][] = [
    ['Container', container?.name],
    ['Image', container?.image],
    ['Host', resource['host.name'] === undefined ? undefined : String(resource['host.name'])],
    ['Severity', severity],
    ['Value', formatValue(value, unit)],
    ['Threshold', alert.threshold === undefined ? undefined : formatValue(alert.threshold, unit)],
    [
      'Limit',
      alert.limit === undefined || alert.limit === null
        ? undefined
        : formatValue(alert.limit, alert.limitUnit),
    ],
    ['Memory', isResolved ? undefined : formatMemory(evidence.memory)],
    ['Since', alert.startsAt],
    ['Until', alert.endsAt ?? undefined],
    ...Object.entries(labels),
  ];
  let log = '';
  for (const line of isResolved ? [] : evidence.log.toReversed()) {
    const room = MAX_LOG - log.length;
    if (line.length > room && log !== '') break;
    log = `${line.slice(0, room)}\n${log}`;
  }
  return {
    title: `${isResolved ? 'Resolved' : 'Firing'}: ${rule} of ${name}`.slice(0, 200),
    text: [annotations.summary, annotations.description].filter(Boolean).join('\n').slice(0, MAX_TEXT),
    facts: facts.flatMap(([fact, text]) =>
      text === undefined || text === '' ? [] : [[fact, text.slice(0, 200)] as const],
    ),
    // What ends a code block in it would let the rest be read as markup.
    log: log.trimEnd().replaceAll('`', LIKE_BACKTICK),
    colour: COLOURS[isResolved ? 'resolved' : severity],
  };
}

/** Characters that Slack reads as markup. https://docs.slack.dev/messaging/formatting-message-text#escaping */
const slackText = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

function slack(alert: AlertJson): object {
  const { title, text, facts, log, colour } = messageOf(alert);
  return {
    text: slackText(title),
    attachments: [
      {
        color: colour,
        text: slackText(log === '' ? text : `${text}\n\`\`\`${log}\`\`\``),
        mrkdwn_in: ['text'],
        fields: facts.map(([fact, value]) => ({
          title: slackText(fact),
          value: slackText(value),
          short: true,
        })),
        fallback: slackText(`${title}: ${text}`),
      },
    ],
  };
}

/** https://discord.com/developers/docs/resources/webhook#execute-webhook */
function discord(alert: AlertJson): object {
  const { title, text, facts, log, colour } = messageOf(alert);
  return {
    // Whoever writes a log line must not call everybody.
    allowed_mentions: { parse: [] },
    embeds: [
      {
        title,
        description: text,
        color: Number.parseInt(colour.slice(1), 16),
        timestamp: alert.endsAt ?? alert.startsAt,
        fields: [
          ...facts.map(([name, value]) => ({ name, value, inline: true })),
          ...(log === '' ? [] : [{ name: 'Log', value: `\`\`\`\n${log}\n\`\`\`` }]),
        ].slice(0, 25),
      },
    ],
  };
}

const TEAMS_COLOURS = {
  critical: 'attention',
  warning: 'warning',
  info: 'accent',
  resolved: 'good',
} as const;

/** An Adaptive Card, as the workflow "when a webhook request is received" takes it. */
function teams(alert: AlertJson): object {
  const { title, text, facts, log } = messageOf(alert);
  const color = TEAMS_COLOURS[alert.status === 'resolved' ? 'resolved' : alert.severity];
  const block = (content: string, more: object = {}) => ({
    type: 'TextBlock',
    text: content,
    wrap: true,
    ...more,
  });
  /** What a container wrote is no markup: a TextBlock would make links of it. */
  const plain = (content: string, more: object = {}) => ({
    type: 'RichTextBlock',
    inlines: [{ type: 'TextRun', text: content, ...more }],
  });
  return {
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        content: {
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          type: 'AdaptiveCard',
          version: '1.4',
          body: [
            block(title, { weight: 'bolder', size: 'medium', color }),
            ...(text === '' ? [] : [plain(text)]),
            { type: 'FactSet', facts: facts.map(([fact, value]) => ({ title: fact, value })) },
            ...(log === '' ? [] : [plain(log, { fontType: 'Monospace', size: 'Small' })]),
          ],
        },
      },
    ],
  };
}

const json = (alert: AlertJson): object => ({
  type: `portlight.alert.${alert.status}`,
  timestamp: alert.endsAt ?? alert.startsAt,
  data: { uid: alertUid(alertFromJson(alert)), ...alert },
});

const formats: Readonly<Record<Webhook['format'], (alert: AlertJson) => object>> = {
  json,
  slack,
  discord,
  teams,
};

export function formatBody(
  alert: AlertJson,
  { format, template }: Pick<Webhook, 'format' | 'template'>,
): string {
  if (template === undefined) return JSON.stringify(formats[format](alert));
  const { annotations, evidence, key } = alert;
  const { events, log } = evidence;
  const more = { annotations, summary: annotations.summary ?? '', log, events, key };
  return renderJsonTemplate(template, { ...createTemplateView(alertFromJson(alert)), ...more });
}
