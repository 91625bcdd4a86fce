// What can be said without a browser: the state at each step, and how two runs go side by side. Pure functions.
'use strict';

/// The state after step n; the steps are numbered from 0.
const state = (run, n) => run.steps[n].state;

/// The client waits for the server: it has not got back all that it has sent, and nothing is there for it to read.
function waits(now, name) {
  const [client, conn] = [now.clients[name], now.conns[name]];
  return Boolean(conn?.open) && !conn.downEnd && client.sent > client.got && conn.downSplit[1] === 0;
}

/// Since which step it has waited without a break.
function waitsSince(run, n, name) {
  let since = n;
  while (since > 0 && waits(state(run, since - 1), name)) --since;
  return since;
}

/// Whether epoll would report it. Of room to write, only what epoll has just said, and an empty buffer, are certain.
function isReady(now, { name, events, armed }) {
  if (name === 'listener') return now.queue.length > 0;
  const conn = now.conns[name];
  if (!conn || !armed) return false;
  const input = conn.upSplit[1] > 0 || conn.upEnd;
  return (events.includes('IN') && input) || (events.includes('OUT') && (conn.room || conn.downSplit[0] === 0));
}

/// What a step does, without process IDs and the sizes of partial writes: so two runs can be compared.
const kind = (step) => step.title.replace(/^(fork|waitpid)\(\) = \d+/, '$1')
  .replace(/\d[\d,]{3,}/g, '#').replace(/\d+ bytes?/g, '# bytes');

/// Two runs in step by what the clients do: the pairs of steps that are shown beside each other.
function rows(one, other) {
  const pairs = [];
  const last = Math.max(...[one, other].map((run) => run.steps[run.steps.length - 1].action));
  let at = [0, 0];
  for (let action = 1; action <= last; ++action) {
    const steps = [one, other].map((run) => run.steps.flatMap((step, i) => (step.action === action ? [i] : [])));
    for (let i = 0; i < Math.max(steps[0].length, steps[1].length); ++i) {
      at = at.map((before, side) => (i < steps[side].length ? steps[side][i] : before));
      pairs.push(at);
    }
  }
  return pairs;
}

/// What each thread does in each action, in its own order: which thread is first is nobody's fault.
function doings(run) {
  const count = {};
  return run.steps.map((step) => {
    const whose = step.action + ' ' + (step.thread || step.who).replace(/worker \d/, 'worker');
    count[whose] = (count[whose] || 0) + 1;
    return [whose + ' ' + count[whose], kind(step)];
  });
}

/// The first row in which the two do not do the same, -1 when there is none. Runs of two chapters make other calls from
/// the start: of these, the first row in which their clients have not got the same.
function firstDifference(one, other) {
  const pairs = rows(one, other);
  if (one.chapter === other.chapter) {
    const [mine, its] = [doings(one), doings(other)];
    const [mineBy, itsBy] = [Object.fromEntries(mine), Object.fromEntries(its)];
    return pairs.findIndex(([a, b]) => itsBy[mine[a][0]] !== mine[a][1] || mineBy[its[b][0]] !== its[b][1]);
  }
  const got = (run, n) => JSON.stringify(Object.values(state(run, n).clients).map((client) => client.got));
  const isLast = (i) => i + 1 === pairs.length || one.steps[pairs[i + 1][0]].action !== one.steps[pairs[i][0]].action;
  return pairs.findIndex(([a, b], i) => isLast(i) && got(one, a) !== got(other, b));
}

/// The next step after n in which something changes for this client; n when there is none.
function nextFor(run, n, name) {
  const about = (i) => JSON.stringify([state(run, i).clients[name], state(run, i).conns[name]]);
  for (let i = n + 1; i < run.steps.length; ++i) if (about(i) !== about(i - 1)) return i;
  return n;
}

if (typeof module !== 'undefined') module.exports = { state, rows, firstDifference, nextFor };
