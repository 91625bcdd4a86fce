// Draws one step, and goes from step to step.
const data = JSON.parse(document.getElementById('data').textContent);
const runs = data.runs;
const pairs = runs.length > 1 ? rows(runs[0], runs[1]) : runs[0].steps.map((_, i) => [i]);
const start = runs.length > 1 ? firstDifference(runs[0], runs[1]) : 0;
const clientNames = Object.keys(runs[0].steps.at(-1).state.clients);
const view = { at: start, predict: false, asking: null, verdict: '', frame: 0, timer: null };

const escape = (text) => String(text).replace(/[&<>"]/g, (c) => '&#' + c.charCodeAt(0) + ';');
const commas = (number) => number.toLocaleString('en-US');
const clientTag = (name) => (/^[ABC]$/.test(name) ? `<b class="tag ${name}">${name}</b>` : escape(name));

/// What a panel is made of. The page marks a row, and each chip in it, that is not as it was one step before.
function row(name, chips, hint) {
  const inferred = hint ? ` <i class="inferred" title="${hint}">inferred</i>` : '';
  const all = chips.map((chip) => `<span class="chip">${chip}</span>`).join(' ');
  return `<div class="row" data-key="${escape(name)}"><span class="name">${escape(name)}${inferred}</span> ${all || '<span class="chip empty">none</span>'}</div>`;
}

// --- the code -------------------------------------------------------------------------------------------------------

/// Of this step, or of the last one of a thread that is still in its call.
function code(run, n) {
  const step = run.steps.slice(0, n + 1).findLast(({ frames }) => frames.length > 0);
  if (!step) return '<p class="dim">No line of the server has run yet, or this strace shows no functions (it is built without -k).</p>';
  const chosen = Math.min(view.frame, step.frames.length - 1);
  const [, file, line, first] = step.frames[chosen];
  const names = step.frames.map(([name], i) => `<button class="frame${i === chosen ? ' on' : ''}" data-do="frame ${i}">${escape(name)}</button>`);
  const top = first > line - 14 ? first : Math.max(1, line - 7);
  const shown = run.files[file].slice(top - 1, Math.max(line + 4, top + 12)).map((text, i) => {
    const here = top + i === line;
    return `<span class="line${here ? ' now' : ''}"><span class="no">${here ? '▶' : ''}${top + i}</span>${escape(text) || ' '}</span>`;
  });
  const whose = step === run.steps[n] ? '' : ` <span class="dim">· ${escape(step.thread || 'the server')} is here meanwhile</span>`;
  return `<div class="path">${names.reverse().join('<span class="dim"> › </span>')} <span class="dim">${escape(file)}</span>${whose}</div><pre>${shown.join('')}</pre>`;
}

// --- the kernel -----------------------------------------------------------------------------------------------------

/// The two buffers of one direction. A bar is as long as the buffer is full, compared with its fullest moment.
function buffers(run, n, name, path, title, labels) {
  const split = state(run, n).conns[name][path];
  const inferred = split[0] > 0 && !run.steps[n].checked ? ' <i class="inferred" title="How many bytes there are in the two buffers together follows from the calls. How they are split was read from the kernel at the next checkpoint.">split inferred</i>' : '';
  const bars = split.map((amount, side) => {
    const most = Math.max(1, ...run.steps.map((step) => step.state.conns[name]?.[path][side] ?? 0));
    const full = side === 1 && split[0] > 0 ? ' · full' : '';
    const width = full ? 100 : amount === 0 ? 0 : Math.max(1, Math.round(100 * amount / most));
    return `<div class="buffer ${name}" data-key="${name} ${path} ${side}"><i style="width:${width}%"></i><span>${commas(amount)} <small>${labels[side]}${full}</small></span></div>`;
  });
  return `<div class="dim">${title}${inferred}</div><div class="pair">${bars.join('<b>→</b>')}</div>`;
}

function connection(run, n, name) {
  const now = state(run, n);
  const [conn, { sent, got }] = [now.conns[name], now.clients[name]];
  const inProgram = commas(conn.hand) + (conn.hand === 0 ? '' : conn.unsent ? ' unsent' : ' read, not answered');
  const sum = `<p class="sum dim">sent ${commas(sent)} = in buffers ${commas(conn.up + conn.down)} + in the program ${commas(conn.hand)} + received ${commas(got)}</p>`;
  return `<div class="conn">${buffers(run, n, name, 'upSplit', clientTag(name) + ' to the server', [`${name}'s send buffer`, 'server’s receive buffer'])}
${buffers(run, n, name, 'downSplit', 'back to ' + name, ['server’s send buffer', `${name}'s receive buffer`])}
${row(`bytes of ${name} in the program`, [inProgram], 'From what read and write returned.')}
${conn.owner ? row(`owner of ${name}`, [escape(conn.owner)], 'From the calls. Only whether it is armed is in a file of the kernel.') : ''}${sent > 0 ? sum : ''}</div>`;
}

function kernel(run, n) {
  const { queue, select, epoll, conns } = state(run, n);
  const shown = (list) => Object.values(list).map((one) => `${one.fd} ${clientTag(one.name)} ${escape(one.events)}${one.armed === false ? ' · disarmed' : ''}`);
  const returned = (wait) => (wait.waits ? ['not yet: it sleeps'] : shown(wait.returned));
  return row('listen queue', queue.map(clientTag))
    + (select ? row('select asks', shown(select.list)) + row('select returned', returned(select)) : '')
    + (epoll ? row('epoll’s interest list', shown(epoll.list)) + row('epoll_wait returned', returned(epoll))
      + row('ready now', Object.values(epoll.list).filter((one) => isReady(state(run, n), one)).map((one) => `${one.fd} ${clientTag(one.name)}`), 'From the buffers. The kernel shows its ready list in no file.') : '')
    + Object.keys(conns).map((name) => connection(run, n, name)).join('');
}

// --- the program and the clients ------------------------------------------------------------------------------------

/// What a thread does, and the function and line that it is in: those of its last step.
function thread(run, n, id) {
  const { name, call, waits } = state(run, n).threads[id];
  const step = run.steps.slice(0, n + 1).findLast(({ who, frames }) => who === id && frames.length > 0);
  const sleeps = { clock_nanosleep: 'sleeps: <b>a slow request</b>', futex: 'sleeps <b>until it is woken</b>' };
  const runs = run.steps[n].who === id ? '<b>runs</b>' : 'runs on, or is about to';
  const does = waits ? sleeps[call] || `sleeps in <b>${escape(call)}</b>` : runs;
  const place = step && !(waits && call === 'futex') ? `at ${escape(step.frames[0][0])}, line ${step.frames[0][2]}` : '';
  return `<div class="row" data-key="thread ${id}"><span class="name">${waits ? '☾' : '▶'} ${escape(name)}</span> ${does} <span class="dim">${place}</span></div>`;
}

function program(run, n) {
  const { threads, procs, queues } = state(run, n);
  const descriptors = ({ name, fds, ended }) => {
    const open = Object.entries(fds).map(([fd, what]) => `<b>${fd}</b> ${clientTag(what)}`);
    return row(`file descriptors of ${name}`, ended ? ['zombie: it has none'] : ['<b>0 1 2</b> terminal', ...open]);
  };
  const queue = ([which, names]) => row(which + ' queue', names.map(clientTag), 'From what epoll_wait returned: a client with room to write belongs in the write queue. No call shows where it was really put.');
  return [...Object.keys(threads).map((id) => thread(run, n, id)), ...Object.values(procs).map(descriptors), ...Object.entries(queues || {}).map(queue)].join('');
}

function clients(run, n) {
  const now = state(run, n);
  const all = Object.entries(now.clients).map(([name, { doing, sent, got }]) => {
    const waiting = waits(now, name) ? `<p class="waits">waits for the server since step ${waitsSince(run, n, name) + 1}</p>` : '';
    const there = now.conns[name]?.downSplit[1] > 0 ? `<p>has not read ${commas(now.conns[name].downSplit[1])} bytes that are there</p>` : '';
    return `<div class="client ${name}" data-key="client ${name}"><p>${clientTag(name)} ${escape(doing)}</p><p class="dim">sent ${commas(sent)}, got back ${commas(got)}</p>${there}${waiting}</div>`;
  });
  return all.join('') || '<p class="dim">Nobody is here yet.</p>';
}

// --- the time line ----------------------------------------------------------------------------------------------------

/// A grid with a column for each step, and a row for each client and thread. Each cell is a link to its step.
function timeline(run, n) {
  const cell = (i, line, kinds, title, letter) => `<a class="${kinds}" style="grid-area:${line}/${i + 2}" href="#${1 + pairs.findIndex((pair) => pair[runs.indexOf(run)] >= i)}" tabindex="-1" title="${escape(title)}">${letter}</a>`;
  const names = (of) => [...new Set(run.steps.flatMap((step) => Object.keys(step.state[of])))];
  const client = (name) => [name, (now) => now.conns[name]?.open && (waits(now, name) ? ['wait', 'waits'] : [name, 'is connected'])];
  const thread = (id) => {
    const inIt = ({ threads: { [id]: one } }) => one && (one.waits ? ['sleep', 'sleeps in ' + one.call]
      : one.about ? [one.about, 'serves ' + one.about, one.about] : ['busy', 'runs']);
    return [run.steps.find((step) => step.state.threads[id]).state.threads[id].name, inIt];
  };
  const lanes = [...names('clients').map((name) => [name, ...client(name)]), ...names('threads').map((id) => [id, ...thread(id)])];
  const parts = run.steps.map(({ part }, i) => {
    const count = run.steps.filter((other) => other.part === part).length;
    return run.steps[i - 1]?.part === part ? '' : `<span class="part" style="grid-area:1/${i + 2}/${lanes.length + 2}/span ${count}">${escape(part)}</span>`;
  });
  const cells = lanes.map(([id, name, inIt], lane) => `<span class="lane" style="grid-area:${lane + 2}/1">${escape(name)}</span>` + run.steps.map((step, i) => {
    const [kinds, title, letter = ''] = inIt(step.state) || ['', ''];
    const said = i > 0 && inIt(run.steps[i - 1].state)?.[2] === letter; // once, where it begins
    return cell(i, lane + 2, kinds + (step.who === id ? ' acts' : ''), title, said ? '' : letter);
  }).join(''));
  return `<div class="time" role="img" aria-label="who does what in each step of the scene" style="grid-template-columns:auto repeat(${run.steps.length},minmax(0,1fr))">${parts.join('')}${cells.join('')}<i style="grid-area:1/${n + 2}/${lanes.length + 2}"></i></div>`;
}

// --- the page -------------------------------------------------------------------------------------------------------

function sentence(run, n) {
  const { thread, title, text, ids, checked } = run.steps[n];
  const who = thread && Object.keys(state(run, n).threads).length > 1 ? `<span class="who">${escape(thread)}</span> ` : '';
  const details = ids.split(', ').filter(Boolean).map((id) => `<details class="id"><summary>${id}</summary>${escape(run.statements[id] || '')}</details>`);
  const confirmed = checked ? ' <span class="checked" title="The queue, the buffers, the file descriptors and the interest list were read from the kernel here, and they are as shown.">✓ the kernel says the same</span>' : '';
  return `${view.verdict}${who}<code>${escape(title)}</code><br>${escape(text)} ${details.join(' ')}${confirmed}`;
}

function ask(question) {
  const choices = question.choices.map((choice, i) => `<button class="choice" data-do="choose ${i + 1}"><kbd>${i + 1}</kbd> ${escape(choice)}</button>`);
  return `<b>What comes next?</b> ${escape(question.ask)}<div class="choices">${choices.join('')}</div>`;
}

const panels = (run, n) => `<div class="cols"><section><h2>the code that runs</h2>${code(run, n)}</section>
<section><h2>the kernel</h2>${kernel(run, n)}</section>
<section><h2>the program</h2>${program(run, n)}<h2>the clients</h2>${clients(run, n)}</section></div>
<section>${timeline(run, n)}<p class="dim legend">A dot: acts in this step. A client’s bar: it is connected, or, dashed, waits for the server. A thread’s bar: it runs, with a letter for its client where there is room. Only lines: it sleeps.</p></section>`;

function nav() {
  const button = (command, keys, says) => `<button data-do="${command}" title="${keys}">${says}</button>`;
  return `<nav>${button('step -1', 'left arrow', '◀ back')}${button('step 1', 'right arrow', 'next ▶')}${button('play', 'space', view.timer ? '❚❚ stop' : 'play')}
${button('part -1', 'page up', '⇤ part')}${button('part 1', 'page down', 'part ⇥')}${clientNames.map((name) => button('client ' + name, 'the next change for ' + name, 'next for ' + clientTag(name))).join('')}
${runs.length > 1 ? '' : `<label><input type="checkbox" data-do="predict"${view.predict ? ' checked' : ''}> predict</label>`}<span class="dim keys">keys: ← → space, PgUp PgDn, A B C, P, 1–5</span></nav>`;
}

/// Marks what is not as it was one step before.
function markNew(shown, before) {
  for (const part of shown.querySelectorAll('[data-key]')) {
    const old = before.querySelector(`[data-key="${part.dataset.key}"]`);
    const chips = [...(old?.querySelectorAll('.chip') || [])].map((chip) => chip.textContent);
    part.classList.toggle('new', part.textContent !== old?.textContent);
    for (const chip of part.querySelectorAll('.chip')) chip.classList.toggle('new', !chips.includes(chip.textContent));
  }
}

/// Draws the page again. What had the keyboard's focus has it afterwards, and a screen reader reads out what is new.
function draw() {
  const focus = document.activeElement.dataset.do;
  const shown = pairs[view.at];
  const many = runs.length > 1;
  const order = runs[0].chapter.startsWith('06') ? ' · the order of the threads is one of several possible ones' : '';
  const views = runs.map((run, side) => `<div class="run">${many ? `<h1>${escape(data.titles[side])}</h1>` : ''}<div class="says">${view.asking ? ask(view.asking) : sentence(run, shown[side])}</div>${many ? `<h1 class="again">${escape(data.titles[side])}</h1>` : ''}${panels(run, shown[side])}</div>`);
  document.getElementById('main').innerHTML = `<header><h1>${escape(data.name)}</h1><span>${escape(runs[0].steps[shown[0]].part)}${order}</span><span class="count">step ${view.at + 1} of ${pairs.length}${many && view.at === start ? ' · here the two part' : ''}</span></header>
<div class="runs${many ? ' two' : ''}">${views.join('')}</div>${nav()}`;
  document.querySelectorAll('.runs > .run').forEach((element, side) => {
    const before = document.createElement('div');
    before.innerHTML = panels(runs[side], Math.max(shown[side] - 1, 0));
    markNew(element, before);
  });
  document.title = `${data.name}, step ${view.at + 1}`;
  if (focus) (document.querySelector(`[data-do="${focus}"]`) || document.querySelector('[data-do="step 1"]')).focus();
  document.getElementById('spoken').textContent = [...document.querySelectorAll('.says')].map((says) => says.innerText).join(' ');
}

// --- what the reader does -------------------------------------------------------------------------------------------

function go(to, force) {
  const at = Math.min(Math.max(to, 0), pairs.length - 1);
  const question = runs.length === 1 && runs[0].steps[at].question;
  const asks = !force && view.predict && !view.asking && at === view.at + 1 && question;
  Object.assign(view, { at: asks ? view.at : at, asking: asks ? question : null, verdict: '', frame: 0 });
  history.replaceState(null, '', '#' + (view.at + 1));
  draw();
}

const commands = {
  step: (by) => go(view.at + Number(by)),
  to: (at) => go(Number(at), true),
  frame(number) { view.frame = Number(number); draw(); },
  client: (name) => go(pairs.findIndex(([step]) => step === nextFor(runs[0], pairs[view.at][0], name)), true),
  part(by) {
    const partAt = (i) => runs[0].steps[pairs[i]?.[0]]?.part;
    let at = view.at;
    while (partAt(at) === partAt(view.at)) at += Number(by);
    go(at, true);
  },
  play() {
    clearInterval(view.timer);
    view.timer = view.timer ? null : setInterval(() => (view.at + 1 < pairs.length && !view.asking ? go(view.at + 1) : commands.play()), 2500);
    draw();
  },
  predict() {
    Object.assign(view, { predict: !view.predict, asking: null });
    draw();
  },
  choose(number) {
    const { choices, right, why } = view.asking || { choices: [] };
    const said = choices[number - 1];
    if (!said) return;
    go(view.at + 1, true);
    const verdict = said === right ? '✓ Right.' : `✗ You said: ${escape(said)}. It is: ${escape(right)}.`;
    view.verdict = `<div class="verdict ${said === right ? 'right' : 'wrong'}">${verdict} ${escape(why)}</div>`;
    draw();
  },
};

const keys = { ArrowRight: 'step 1', ArrowLeft: 'step -1', ' ': 'play', PageDown: 'part 1', PageUp: 'part -1', Home: 'to 0', End: 'to ' + pairs.length, P: 'predict' };
for (const name of clientNames) keys[name] = 'client ' + name;
for (let number = 1; number <= 9; ++number) keys[number] = 'choose ' + number;

function obey(event, command) {
  if (!command) return;
  const [what, word] = command.split(' ');
  commands[what](word);
  event.preventDefault();
}
document.addEventListener('click', (event) => obey(event, event.target.closest('[data-do]')?.dataset.do));
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || (event.key === ' ' && event.target.closest('button, input, summary'))) return;
  obey(event, keys[event.key.length === 1 ? event.key.toUpperCase() : event.key]);
});
const fromLink = () => go((Number(location.hash.slice(1)) || 1) - 1, true);
window.addEventListener('hashchange', fromLink);
if (location.hash) fromLink(); else go(view.at, true);
