// What a step is called, what it says, and what is asked before it. The sentences are in words.txt.
'use strict';
const fs = require('fs');
const path = require('path');

/// What words.txt has for each case: {ids, title, text, ask, wrong, right, why}.
const table = {};
for (const part of fs.readFileSync(path.join(__dirname, 'words.txt'), 'utf8').split(/^# /m).slice(1)) {
  const [head, ...lines] = part.trim().split('\n');
  const [name, ids, title] = head.split('|');
  const entry = { ids, title, text: '', ask: '', wrong: '', right: '', why: '' };
  let field = 'text'; // a line that begins nothing goes on with what was before it
  for (const line of lines) {
    const begins = { '?': 'ask', '-': 'wrong', '+': 'right', '=': 'why' }[line[0]];
    field = begins || field;
    entry[field] = `${entry[field]} ${begins ? line.slice(2) : line}`.trim();
  }
  table[name] = entry;
}

const commas = (number) => number.toLocaleString('en-US');
const bytes = (number) => commas(number) + (number === 1 ? ' byte' : ' bytes');

/// A step's title, text, statements and question. `what` is the case of words.txt, and one that the table does not have
/// is that of its outcome: "fcntl fails" is "fails". `values` goes into the braces; `wrong` are answers that only this
/// step has.
function wordsOf({ what, values, wrong = [] }, chapter) {
  const filled = (text = '') => text.replace(/\{(\w+)\}/g, (braces, name) => values[name] ?? braces);
  const call = table[what.split(' ')[0]] || {};
  const entry = table[what] || table[what.split(' ').pop()] || {};
  const said = table[`${what} 0${chapter}`] || entry;
  const asked = entry.ask ? entry : call;
  const question = () => {
    const answers = [asked.wrong, entry.wrong].flatMap((line) => filled(line).split('/'));
    const right = filled(entry.right);
    const choices = [...new Set([right, ...wrong, ...answers].filter(Boolean))].sort();
    return { ask: filled(asked.ask), choices, right, why: filled(entry.why) };
  };
  const title = filled(entry.title || call.title || '{call}(){result}');
  return { title, text: filled(said.text || entry.text), ids: filled(said.ids), question: entry.right ? question() : null };
}

const join = (words) => words.join(', ') || 'none';

/// "5 (A) IN" of each that select or epoll watches, whether or not it is told of it only once.
const list = (watched) =>
  Object.values(watched).map(({ fd, name, events }) => `${fd} (${name}) ${events.replace(/ ONESHOT.*/, '')}`);

/// What select and epoll_wait report, and what a reader may expect instead.
function sayReady(step, { call, chapter, now, sleeps, slept }) {
  const select = call.what === 'select';
  const wait = select ? now.select : now.epoll;
  const [all, ready] = [list(wait.list), list(wait.returned)];
  const [, read, write] = call.arguments;
  if (select) step.values.sets = 'read ' + read + (/^\[\d/.test(write) ? ', write ' + write : '');
  step.values.reported = join(ready);
  step.values.ready = join(ready) + (ready.length === 1 ? ' is' : ' are');
  if (call.value >= 0 && !sleeps) step.values.result = ' = ' + join(ready);
  step.wrong.push('all that it watches: ' + join(all));
  if (!slept) step.wrong.push('none yet: it sleeps');
  if (ready.length > 1) step.wrong.push('only one of them: ' + ready[0]);
  step.wrong = [...step.wrong, ...all].slice(0, 5);
  const clients = ready.length > 0 && !join(ready).includes('listener');
  if (chapter === 6 && clients) step.what = 'epoll_wait queues';
}

/// What is particular to a call: its case in words.txt, what goes into the braces there, and answers that are wrong.
const particulars = {
  select: sayReady,
  epoll_wait: sayReady,
  accept(step, { before }) {
    step.wrong = before.queue.slice(-1).map((last) => `a new file descriptor for ${last}`);
  },
  read(step, { call, before }) {
    const left = (before.conns[call.client]?.up ?? 0) - call.value;
    step.values.left = bytes(left);
    if (call.value === 0) step.what = 'read end';
    if (call.value > 0 && left > 0) step.what = 'read part';
  },
  write(step, { call, before, slept }) {
    const left = call.arguments[2] - call.value;
    step.values.left = bytes(left);
    if (left === 0 && before.conns[call.client]?.unsent) step.what = 'write unsent';
    if (left === 0 && slept) step.what = 'write woken';
    if (left > 0 && call.value > 0) step.what = 'write part';
  },
  epoll_ctl(step, { call, before, now }) {
    const [, command, fd] = call.arguments;
    const name = before.procs[call.process].fds[fd] || '?';
    const events = now.epoll.list[fd]?.events ?? '';
    const operation = command.replace('EPOLL_CTL_', '');
    const once = events.endsWith('ONESHOT');
    Object.assign(step.values, {
      operation,
      name: `${fd} (${name})`,
      events: operation === 'DEL' ? '' : ', ' + (events || 'nothing'),
      once: once ? ' Only once: after that it leaves this client alone until it is armed again.' : '',
      what: !events.includes('OUT') ? 'input' : events.includes('IN') ? 'input and about room to write'
        : 'room to write, and no longer about input',
    });
    if (call.value === 0) step.what += ' ' + operation + (name === 'listener' ? ' listener' : '');
  },
  close(step, { call, before }) {
    const name = before.procs[call.process].fds[call.arguments[0]] || '?';
    const copies = Object.values(before.procs).flatMap(({ fds }) => Object.values(fds)).filter((one) => one === name);
    step.values.name = name === 'listener' ? 'the listener' : name;
    if (copies.length > 1) step.what = 'close copy';
  },
};

/// Of a call: the state before it and behind it, whether it sleeps (it does not return before the next action of a
/// client), and whether it slept (it had not returned before the last one).
function wordsOfCall(step) {
  const { call, chapter, sleeps, slept } = step;
  const fails = call.kind === 'call' && call.value < 0;
  const value = ['fork', 'waitpid'].includes(call.what) ? call.value : commas(call.value);
  const said = { what: call.what, wrong: [] };
  said.values = {
    call: call.name,
    who: call.client,
    fd: call.arguments[0],
    size: bytes(Number(call.arguments[2])),
    backlog: call.arguments[1],
    value,
    result: sleeps ? ' sleeps' : ' = ' + (fails ? call.error : value),
    error: call.error,
    T12: chapter >= 4 ? ', T12' : '',
    called: slept ? 'wakes up' : 'is called',
  };
  if (fails) said.what += call.error === 'EAGAIN' ? ' EAGAIN' : ' fails';
  particulars[call.what]?.(said, step);
  if (sleeps) said.what = call.what + ' sleeps';
  return wordsOf(said, chapter);
}

/// Of what a client does; `before` is the state before it.
function wordsOfAction({ client: who, what, bytes: wanted, done, failed }, before, chapter) {
  const reads = () => {
    const { sent, got } = before.clients[who];
    if (done > 0) return before.conns[who].down > done ? 'reads part' : 'reads';
    return sent > got ? 'waits' : 'has all';
  };
  const cases = {
    watches: () => 'time',
    connects: () => (failed ? 'A cannot connect' : 'A connects'),
    sends: () => (failed ? 'A cannot send' : done < wanted ? 'A sends part' : 'A sends'),
    leaves: () => 'A leaves',
    reads: () => 'A ' + reads(),
  };
  return wordsOf({ what: cases[what](), values: { who, value: bytes(done), size: bytes(wanted) } }, chapter);
}

module.exports = { wordsOf, wordsOfCall, wordsOfAction, commas };
