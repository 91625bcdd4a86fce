// From a recording to the steps of a page: what each call did to the state, checked against what the kernel says.
'use strict';
const { isDeepStrictEqual } = require('util');
const { wordsOf, wordsOfCall, wordsOfAction, commas } = require('./words.js');

/// Calls that mean the same to a reader have one name.
const meanings = {
  accept4: 'accept', recvfrom: 'read', sendto: 'write', epoll_create1: 'epoll_create', wait4: 'waitpid',
  clone: 'fork', clone3: 'fork', vfork: 'fork', clock_nanosleep: 'think',
};
function meaning(call) {
  if (call.kind === 'exit') return 'exit';
  const has = (word) => call.arguments.some((argument) => argument.includes(word));
  if (call.name === 'futex') return has('FUTEX_WAKE') ? 'wake' : 'worker';
  return has('CLONE_THREAD') ? 'thread' : meanings[call.name] || call.name;
}

/// The file descriptors of the set behind `label`: "1 (in [3 5])".
const setIn = (text, label) => (text.match(label + '\\[([\\d ]+)')?.[1] ?? '').split(' ').filter(Boolean).map(Number);

/// "EPOLLIN|EPOLLONESHOT" becomes "IN ONESHOT"; so do the bits that the kernel says.
const eventsOf = (text) => (text === '0' ? '' : text.replaceAll('EPOLL', '').replaceAll('|', ' '));
const bits = { IN: 1, OUT: 4, RDHUP: 0x2000, ONESHOT: 1 << 30, ET: 1 << 31 };
const eventsOfBits = (events) => Object.keys(bits).filter((name) => events & bits[name]).join(' ');

const sum = ([a, b]) => a + b;

/// The state: the listen queue; of each client what it has sent and got; of each connection the bytes that are on their
/// way to the server (up), in the program (hand) and on their way back (down), and the ends of file; the processes with
/// their file descriptors; the threads; and what select or epoll watches and has returned.
function stateAtStart({ chapter, server }) {
  const state = { queue: [], clients: {}, conns: {}, procs: {}, threads: {} };
  if (chapter.startsWith('06')) state.queues = { read: [], write: [] };
  const name = chapter.startsWith('02') ? 'parent' : 'the server';
  state.procs[server] = newProcess(name, {});
  state.threads[server] = newThread(state.queues ? 'main thread' : name);
  return state;
}

const newProcess = (name, fds) => ({ name, fds, ended: false });
const newThread = (name) => ({ name, call: '', waits: false, about: '' });
const without = (queue, name) => queue.filter((one) => one !== name);

// --- what a client does -----------------------------------------------------------------------------------------------

function act(state, { action: { client: name, what }, done, failed }) {
  if (what === 'watches') return;
  const [client, conn] = [state.clients[name], state.conns[name]];
  if (what === 'connects') {
    state.clients[name] = { sent: 0, got: 0, doing: failed ? 'tries to connect' : 'connected' };
    if (failed) return;
    state.conns[name] = { up: 0, down: 0, hand: 0, given: 0, unsent: false, upEnd: false, downEnd: false, open: true };
    state.queue.push(name);
  } else if (what === 'leaves') {
    client.doing = 'has left';
    if (conn?.downEnd) delete state.conns[name];
    else if (conn) Object.assign(conn, { upEnd: true, open: false });
  } else if (failed) {
    client.doing = 'has no connection any more';
  } else if (what === 'sends') {
    client.doing = `has sent ${commas(done)} bytes`;
    client.sent += done;
    if (conn?.downEnd) delete state.conns[name]; // nobody has the other end: a reset
    else if (conn) conn.up += done;
  } else {
    client.doing = `has read ${commas(done)} bytes`;
    client.got += done;
    if (conn) conn.down -= done;
  }
}

// --- what a call changes ----------------------------------------------------------------------------------------------

const watched = (state, call, fd, events) => ({ fd, name: state.procs[call.process].fds[fd] || '?', events });

/// select and epoll_wait, from when they begin.
function followWait(state, call, sleeps) {
  const select = call.what === 'select';
  if (!select && call.what !== 'epoll_wait') return;
  const wait = state[select ? 'select' : 'epoll'] ??= {};
  const sets = (read, write) => [...read.map((fd) => watched(state, call, fd, 'to read')),
    ...write.map((fd) => watched(state, call, fd, 'to write'))];
  wait.waits = sleeps;
  wait.returned = [];
  if (select) wait.list = sets(setIn(call.arguments[1], ''), setIn(call.arguments[2], ''));
  if (sleeps || call.value <= 0) return;
  wait.returned = select ? sets(setIn(call.result, 'in '), setIn(call.result, 'out '))
    : call.reported.map(({ fd, events }) => watched(state, call, fd, eventsOf(events)));
  for (const { name, events } of wait.returned) if (/OUT|write/.test(events) && state.conns[name]) state.conns[name].room = true;
  for (const { fd } of call.reported) if (wait.list[fd]?.events.endsWith('ONESHOT')) wait.list[fd].armed = false;
}

/// In chapter 06: which party has a connection. Only its arming is in a file of the kernel.
function followOwner(state, call) {
  if (!state.queues) return;
  if (call.what === 'epoll_wait') {
    for (const { name, events } of state.epoll.returned.filter(({ name }) => state.conns[name])) {
      const queue = events.includes('OUT') ? 'write' : 'read';
      state.queues[queue].push(name);
      state.conns[name].owner = queue + ' queue';
    }
  }
  const conn = state.conns[call.client];
  if (!conn || call.what === 'accept') return;
  for (const which of ['read', 'write']) state.queues[which] = without(state.queues[which], call.client);
  const arms = call.what === 'epoll_ctl' && call.arguments[1] !== 'EPOLL_CTL_DEL' && call.value === 0;
  conn.owner = arms ? 'kernel (armed)' : state.threads[call.thread].name;
}

/// A connection is there as long as any process has a file descriptor for it, and the listen queue as long as any has
/// one for the listener. If bytes are unread then, the kernel resets the connection.
function followClose(state) {
  const held = Object.values(state.procs).flatMap(({ fds }) => Object.values(fds));
  const queue = state.queue;
  if (!held.includes('listener')) state.queue = [];
  for (const [name, conn] of Object.entries(state.conns)) {
    if (held.includes(name) || state.queue.includes(name)) continue;
    if (conn.open && conn.up === 0 && !queue.includes(name)) conn.downEnd = true; // the client has still to notice
    else delete state.conns[name];
  }
}

/// What only this call changes when it returns.
const changes = {
  accept(state, call) { state.queue = without(state.queue, call.client); },
  read(state, { client, value }) {
    const conn = state.conns[client];
    if (!conn || value < 0) return;
    conn.up -= value;
    conn.hand += value;
    if (value === 0) conn.upEnd = false;
  },
  write(state, { client, value }) {
    const conn = state.conns[client];
    if (!conn) return;
    const more = value > 0 ? value - conn.given : 0; // not what it gave asleep
    conn.down += more;
    conn.hand -= more;
    Object.assign(conn, { given: 0, room: false, unsent: conn.hand > 0 });
  },
  epoll_create(state) { state.epoll = { list: {}, returned: [] }; },
  epoll_ctl(state, call) {
    if (call.value !== 0) return;
    const [, command, fd, what] = call.arguments; // what: "{events=EPOLLIN, data=0x5}"
    delete state.epoll.list[fd];
    if (command === 'EPOLL_CTL_DEL') return;
    const events = eventsOf(what.match(/events=([^,]*)/)[1]);
    state.epoll.list[fd] = { ...watched(state, call, Number(fd), events), armed: true };
  },
  close(state, call) {
    if (state.epoll) delete state.epoll.list[call.arguments[0]];
    followClose(state);
  },
  /// A process gets copies of all file descriptors, a thread shares them.
  fork(state, call) {
    if (call.value <= 0) return;
    const { fds } = state.procs[call.process];
    const name = `child for ${Object.values(fds).findLast((one) => one !== 'listener') ?? '?'}`;
    state.procs[call.value] = newProcess(name, fds);
    state.threads[call.value] = newThread(name);
  },
  thread(state, call) {
    const number = Object.keys(state.threads).length; // the main thread is there already
    if (call.value > 0) state.threads[call.value] = newThread(number <= 2 ? `read worker ${number}` : 'write worker');
  },
  waitpid(state, call) { delete state.procs[call.value]; },
  exit(state, call) {
    state.procs[call.process].ended = true;
    if (state.epoll) state.epoll = { list: {}, returned: [] };
    followClose(state);
  },
};

function follow(state, call) {
  if (call.kind === 'signal') return;
  if (call.kind === 'exit') delete state.threads[call.thread];
  if (call.kind === 'exit' && call.process !== call.thread) return;
  state.procs[call.process].fds = Object.fromEntries(call.open);
  followOwner(state, call);
  changes[call.what]?.(state, call);
}

/// A blocking write that sleeps has given a part of its bytes to the kernel already. How many, no call says, and so
/// they are counted as the reading at the end of this segment has them.
function fillWhileWriting(conn, seen) {
  if (!conn || !seen) return;
  const more = Math.min(Math.max(sum(seen.to_client) - conn.down, 0), conn.hand);
  conn.down += more;
  conn.hand -= more;
  conn.given += more;
}

/// Where the bytes of each direction are: in the receiver's buffer as far as that has room, else in the sender's. How
/// much room there is, the reading at the end of this segment says.
function splitBuffers(state, { buffers }) {
  const split = (total, [sender, receiver]) => {
    const there = sender > 0 ? Math.min(total, receiver) : total;
    return [total - there, there];
  };
  for (const [name, conn] of Object.entries(state.conns)) {
    const { to_server, to_client } = buffers[name] || { to_server: [0, 0], to_client: [0, 0] };
    conn.upSplit = split(conn.up, to_server);
    conn.downSplit = split(conn.down, to_client);
  }
}

// --- the steps --------------------------------------------------------------------------------------------------------

/// Calls that set things up and tell nothing here are no steps, nor is the end of a sleep that stands for slow work. Of
/// the futex calls only these are: a worker is woken for a client, and it sleeps at first.
function isShown({ call, sleeps }, segment, server) {
  if (call.kind === 'signal') return call.name === 'SIGCHLD';
  if (call.kind === 'exit') return call.thread === call.process;
  if (call.result === '?' && !sleeps) return false; // its process was killed in it
  if (['setsockopt', 'getsockname', 'getsockopt', 'exit_group', 'shutdown', 'thread'].includes(call.what)) return false;
  const conditions = {
    fcntl: () => call.arguments.includes('F_SETFL'),
    waitpid: () => call.value > 0,
    write: () => call.arguments[0] > 2,
    think: () => sleeps,
    worker: () => sleeps && segment === 0,
    wake: () => call.value > 0 && call.thread === server && [undefined, 'wake'].includes(call.frames[0]?.[0]),
  };
  return conditions[call.what] ? conditions[call.what]() : true;
}

class Model {
  constructor(recording) {
    Object.assign(this, recording);
    this.number = parseInt(this.chapter);
    this.state = stateAtStart(recording);
    this.steps = [];
    this.at = 0; // the segment
    this.readBefore = 0; // what a client has read in segments that are no steps
    for (const call of this.calls) call.what = meaning(call);
  }

  get segment() { return this.segments[this.at]; }

  makeSteps() {
    for (this.at = 0; this.at < this.segments.length; ++this.at) this.playSegment();
    return this.steps;
  }

  /// What the server did in this segment, in order. A call in which a thread still sleeps at its end is there as well.
  /// What a call that does not wait does, it does when it begins; what a call that waits brings, it brings at its end.
  moments() {
    const from = this.at === 0 ? 0 : this.segment.at;
    const to = this.segments[this.at + 1]?.at ?? this.stop;
    const isIn = (time) => time >= from && time < to;
    return this.calls.flatMap((call) => {
      const when = call.waits ? call.end : call.begin;
      if (isIn(when)) return [{ when, call, sleeps: false }];
      const begins = isIn(call.begin) && when >= to && call.kind === 'call';
      return begins ? [{ when: call.begin, call, sleeps: true }] : [];
    }).sort((a, b) => a.when - b.when);
  }

  playSegment() {
    const moments = this.moments();
    const { after } = this.segment;
    if (this.at > 0) this.playAction(moments);
    const most = after.rests ? moments.length : 10; // enough to see that it does not rest
    for (const moment of moments.slice(0, most)) this.playMoment(moment);
    for (const { call, sleeps } of moments.slice(most)) if (!sleeps) follow(this.state, call);
    const value = commas(moments.length - most); // so many more
    if (moments.length > most) this.addStep(this.server, wordsOf({ what: 'spins', values: { value } }));
    // What changed after the last step belongs to it, because the checkpoint is there: a worker that has gone to sleep.
    splitBuffers(this.state, after);
    const last = this.readBefore === 0 ? this.steps[this.steps.length - 1] : undefined;
    if (last) last.state = structuredClone(this.state);
    if (!after.rests) return;
    this.check(after);
    if (last) last.checked = true;
  }

  /// What the client does in this segment.
  playAction(moments) {
    const { action, after, done } = this.segment;
    const before = structuredClone(this.state);
    act(this.state, this.segment);
    const conn = this.state.conns[action.client];
    const sleepsOn = !moments.some(({ call }) => call.client === action.client);
    if (conn?.given > 0 && sleepsOn) fillWhileWriting(conn, after.buffers[action.client]);
    // A client that reads again and again while the server does nothing: one step, the last one.
    this.readBefore += done;
    if (moments.length === 0 && this.segments[this.at + 1]?.again) return;
    const all = { ...action, failed: this.segment.failed, done: this.readBefore };
    this.readBefore = 0;
    this.addStep(action.client, wordsOfAction(all, before, this.number));
  }

  playMoment(moment) {
    const { call, sleeps } = moment;
    const before = structuredClone(this.state);
    const slept = before.threads[call.thread]?.waits;
    if (call.kind === 'call') {
      Object.assign(this.state.threads[call.thread], { call: sleeps ? call.name : '', waits: sleeps, about: call.client });
    }
    followWait(this.state, call, sleeps);
    if (!sleeps && call.result !== '?') follow(this.state, call);
    const { buffers } = this.segment.after;
    if (sleeps && call.what === 'write') fillWhileWriting(this.state.conns[call.client], buffers[call.client]);
    if (!isShown(moment, this.at, this.server)) return;
    const about = { call, before, now: this.state, sleeps, slept, chapter: this.number };
    this.addStep(call.thread, wordsOfCall(about), call.frames);
  }

  addStep(who, words, frames = []) {
    splitBuffers(this.state, this.segment.after);
    const before = this.steps[this.steps.length - 1]?.state; // the thread may just have ended
    const thread = (this.state.threads[who] || before?.threads[who])?.name ?? '';
    // A client that goes on reading does one thing, in however many segments.
    const action = this.segments.slice(0, this.at + 1).filter(({ again }) => !again).length;
    const state = structuredClone(this.state);
    this.steps.push({ part: this.segment.part, action, who: String(who), thread, ...words, frames, state });
  }

  // --- what the kernel can confirm is confirmed -----------------------------------------------------------------------

  check({ queue, buffers, descriptors, epoll }) {
    const { state } = this;
    this.expect('the listen queue', state.queue.length, queue);
    for (const [name, seen] of Object.entries(buffers)) this.checkBytes(name, seen);
    for (const [pid, open] of descriptors) {
      const { name, fds } = state.procs[pid] ?? { name: pid, fds: {} };
      const known = new Set([0, 1, 2, ...Object.keys(fds).map(Number)]);
      this.expect(`the file descriptors of process ${name}`, [...known], open.map(([fd]) => fd));
    }
    const events = (text) => (/IN|OUT/.test(text) ? text : 'disarmed');
    const model = Object.values(state.epoll?.list ?? {}).map((one) => [one.fd, one.armed ? events(one.events) : 'disarmed']);
    const kernel = epoll.map((one) => [one.fd, events(eventsOfBits(one.events))]);
    this.expect('what epoll watches', Object.fromEntries(model), Object.fromEntries(kernel));
  }

  /// Where an end is on its way or unread, some of the kernel's numbers count it as a byte.
  checkBytes(name, { to_server, to_client }) {
    const { up, hand, down, upEnd, downEnd } = this.state.conns[name] ?? {};
    const { sent, got } = this.state.clients[name];
    const compare = (what, model, kernel, end) => this.expect(what + name, model, end && kernel === model + 1 ? model : kernel);
    compare('bytes on their way from ', up, sum(to_server), upEnd);
    compare('bytes on their way to ', down, sum(to_client), downEnd);
    this.expect(`the bytes that ${name} has sent`, up + hand + down + got, sent);
  }

  expect(what, model, kernel) {
    if (isDeepStrictEqual(model, kernel)) return;
    throw new Error(`${this.chapter}: the player's model, after step ${this.steps.length} (part "${this.segment.part}"): ` +
      `expected ${what} as the kernel says, ${JSON.stringify(kernel)}, got ${JSON.stringify(model)}`);
  }
}

/// The steps of a page. Each has a sentence, the place in the code, and the state behind it. Throws where the model and
/// the kernel disagree.
module.exports = { makeSteps: (recording) => new Model(recording).makeSteps() };
