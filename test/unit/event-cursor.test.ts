import test from 'ava';
import { EventCursor } from '../../collectors/docker/event-cursor.ts';
import type { UnixNano } from '../../collectors/records/records.ts';

const SECOND = 1_000_000_000n;

/** A cursor after an agent that processed everything up to `START`. */
const START: UnixNano = 1000n * SECOND;

function cursorFrom() {
  const saved: UnixNano[] = [];
  const cursor = new EventCursor({ load: () => START, save: (time) => saved.push(time) });
  const accept = (time: UnixNano) =>
    cursor.accept({
      Type: 'container',
      Action: 'start',
      Actor: { ID: String(time), Attributes: {} },
      timeNano: time,
    })!;
  return { accept, position: () => saved.at(-1) ?? START };
}

test('the position stays before an event that is not processed, however many later ones are', (t) => {
  const { accept, position } = cursorFrom();
  const acknowledgeFirst = accept(START + 10n);
  accept(START + 20n)();
  accept(START + 5n * SECOND)();
  t.is(position(), START);
  acknowledgeFirst();
  t.is(position(), START + 5n * SECOND);
});

test('the position stays before an event that came after a later one and is not processed', (t) => {
  const { accept, position } = cursorFrom();
  const acknowledgeLater = accept(START + 20n);
  const acknowledgeLate = accept(START + 10n);
  acknowledgeLater();
  t.is(position(), START + 9n);
  acknowledgeLate();
  t.is(position(), START + 20n);
});

test('the position moves back for an event that comes after a later one was processed', (t) => {
  const { accept, position } = cursorFrom();
  accept(START + 20n)();
  t.is(position(), START + 20n);
  const acknowledgeLate = accept(START + 10n);
  t.is(position(), START + 9n);
  acknowledgeLate();
  t.is(position(), START + 20n);
});

test('the position follows a clock that was set back', (t) => {
  const { accept, position } = cursorFrom();
  accept(START + 100n * SECOND)();
  accept(START + 50n * SECOND)();
  t.is(position(), START + 50n * SECOND);
});
