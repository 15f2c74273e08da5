/** The body of a webhook request, by format. */

import type { Webhook } from '../../config/alert-receivers.ts';
import { type AlertJson, alertFromJson } from '../alerts/alert.ts';
import { alertUid } from '../alerts/record.ts';
import { createTemplateView, formatMemory, formatValue, renderJsonTemplate } from '../alerts/text.ts';

/** Characters of the log in a chat message. Discord accepts 1024 in a field. */
const MAX_LOG_LENGTH = 900;
const MAX_TEXT_LENGTH = 2000;

const COLOURS = { critical: '#d32f2f', warning: '#f9a825', info: '#1976d2', resolved: '#388e3c' } as const;
/** Looks like a backtick, but does not end a code block. */
const BACKTICK_LOOKALIKE = '\u02cb';

interface WebhookMessage {
  readonly title: string;
  readonly text: string;
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly log: string;
  readonly colour: string;
}

function toMessage(alert: AlertJson): WebhookMessage {
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
    const room = MAX_LOG_LENGTH - log.length;
    if (line.length > room && log !== '') break;
    log = `${line.slice(0, room)}\n${log}`;
  }
  return {
    title: `${isResolved ? 'Resolved' : 'Firing'}: ${rule} of ${name}`.slice(0, 200),
    text: [annotations.summary, annotations.description].filter(Boolean).join('\n').slice(0, MAX_TEXT_LENGTH),
    facts: facts.flatMap(([fact, text]) =>
      text === undefined || text === '' ? [] : [[fact, text.slice(0, 200)] as const],
    ),
    // A backtick could end the code block: the rest would be interpreted as markup.
    log: log.trimEnd().replaceAll('`', BACKTICK_LOOKALIKE),
    colour: COLOURS[isResolved ? 'resolved' : severity],
  };
}

/**
 * Escapes the characters that Slack interprets as markup. Source:
 * https://docs.slack.dev/messaging/formatting-message-text#escaping
 */
const slackText = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

function slack(alert: AlertJson): object {
  const { title, text, facts, log, colour } = toMessage(alert);
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

/** Source: https://discord.com/developers/docs/resources/webhook#execute-webhook */
function discord(alert: AlertJson): object {
  const { title, text, facts, log, colour } = toMessage(alert);
  return {
    // A log line must not mention everyone in the channel.
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

/** An Adaptive Card for the workflow "When a Teams webhook request is received". */
function teams(alert: AlertJson): object {
  const { title, text, facts, log } = toMessage(alert);
  const color = TEAMS_COLOURS[alert.status === 'resolved' ? 'resolved' : alert.severity];
  const block = (content: string, more: object = {}) => ({
    type: 'TextBlock',
    text: content,
    wrap: true,
    ...more,
  });
  /** Text of a container is not markup. A TextBlock would turn it into links. */
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
