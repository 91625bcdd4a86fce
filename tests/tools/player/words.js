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
  for (const line of lines) {
    const begins = { '?': 'ask', '-': 'wrong', '+': 'right' }[line[0]];
    [entry[begins || 'text'], entry.why] = begins ? line.slice(2).split(' = ') : [line, ''];
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
    return choices.length > 1 ? { ask: filled(asked.ask), choices, right, why: filled(entry.why) } : null;
  };
  const title = filled(entry.title || call.title || '{call}(){result}');
  return { title, text: filled(said.text || entry.text), ids: filled(said.ids), question: entry.right ? question() : null };
}

const join = (words) => words.join(', ') || 'none';

/// "5 (A) IN" of each that select or epoll watches, whether or not it is told of it only once.
const list = (watched) =>
  Object.values(watched).map(({ fd, name, events }) => `${fd} (${name}) ${events.replace(/ ONESHOT.*/, '')}`);

/// What select and epoll_wait report, and what a reader may expect instead. That a client has room again although it has
/// done nothing is not asked, because it depends on when the kernel has moved its bytes on.
function sayReady(step, { call, chapter, before, now, sleeps, slept }) {
  const select = call.what === 'select';
  const wait = select ? now.select : now.epoll;
  const [all, ready] = [list(wait.list), list(wait.returned)];
  const [, read, write] = call.arguments;
  if (select) step.values.sets = 'read ' + read + (/^\[\d/.test(write) ? ', write ' + write : '');
  Object.assign(step.values, { reported: join(ready), S: select ? 'S11' : 'S14' });
  if (call.value >= 0 && !sleeps) step.values.result = ' = ' + join(ready);
  if (all.length > Math.max(ready.length, 1)) step.wrong.push('all that it watches: ' + join(all));
  if (!slept) step.wrong.push('none yet: it sleeps');
  if (ready.length > 1) step.wrong.push('only one of them: ' + ready[0]);
  step.wrong = [...step.wrong, ...all].slice(0, 5);
  const [one, another] = Object.values(wait.returned);
  const isRoom = one && !another && before.conns[one.name]?.unsent && /OUT|write/.test(one.events);
  if (isRoom && !slept) step.what += ' room';
  if (chapter === 6 && one && !join(ready).includes('listener')) step.what = 'epoll_wait queues';
}

/// What is particular to a call: its case in words.txt, what goes into the braces there, and answers that are wrong.
const particulars = {
  select: sayReady,
  epoll_wait: sayReady,
  accept(step, { call, before }) {
    if (call.error === 'ERESTARTSYS') step.what = 'accept interrupted';
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
    const { unsent } = before.conns[call.client] ?? {};
    if (left === 0 && unsent) step.what = 'write unsent';
    if (left === 0 && slept) step.what = 'write woken';
    if (left > 0 && call.value > 0) step.what = unsent ? 'write more' : 'write part';
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
      once: once ? ' It does so only once, and then it leaves this client alone until it is armed again.' : '',
      what: events.includes('ET') ? 'something new arrives' : !events.includes('OUT') ? 'it has input' : events.includes('IN') ? 'it has input or room to write'
        : 'it has room to write, and no longer when it has input',
    });
    if (call.value === 0) step.what += ' ' + operation + (name === 'listener' ? ' listener' : '');
  },
  close(step, { call, before }) {
    const name = before.procs[call.process].fds[call.arguments[0]] || '?';
    const copies = Object.values(before.procs).flatMap(({ fds }) => Object.values(fds)).filter((one) => one === name);
    step.values.name = /^\w$/.test(name) ? `${name}'s connection` : 'the ' + name;
    if (copies.length > 1) step.what = 'close copy';
  },
  exit(step, { call }) { if (call.name.startsWith('killed')) step.what = 'exit killed'; },
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
    nonblocking: call.arguments.some((one) => one.includes('SOCK_NONBLOCK')) ? ' It is non-blocking from the start.' : '',
    called: slept ? 'wakes up' : 'is called',
  };
  if (fails) said.what += call.error === 'EAGAIN' ? ' EAGAIN' : ' fails';
  particulars[call.what]?.(said, step);
  const watched = Object.values(step.now.epoll?.list ?? {});
  const why = watched.some(({ armed }) => !armed) ? ' armed' : watched.some(({ events }) => events.includes('ET')) ? ' edge' : ' none';
  if (sleeps) said.what = call.what + (said.values.S ? why : ' sleeps');
  return wordsOf(said, chapter);
}

/// Of what a client does; `before` is the state before it.
function wordsOfAction({ client: who, what, bytes: wanted, done, failed }, before, chapter) {
  const { sent, got } = before.clients[who] ?? {};
  const conn = before.conns[who];
  const nothing = conn?.downEnd ? 'A reads the end' : sent > got ? 'A waits' : 'A has all';
  const cases = {
    watches: 'time',
    connects: failed ? 'A cannot connect' : 'A connects',
    sends: !conn || conn.downEnd ? 'A sends in vain' : done < wanted ? 'A sends part' : done > 9999 ? 'A sends much' : 'A sends',
    reads: done === 0 ? nothing : conn?.down > done ? 'A reads part' : 'A reads',
    leaves: conn ? 'A leaves' : 'A is cut off',
  };
  const values = { who, value: bytes(done), size: bytes(wanted) };
  return wordsOf({ what: failed && what !== 'connects' ? 'A is cut off' : cases[what], values }, chapter);
}

module.exports = { wordsOf, wordsOfCall, wordsOfAction, commas };
