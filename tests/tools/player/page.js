// Draws one step, and goes from step to step.
const data = JSON.parse(document.getElementById('data').textContent);
const runs = data.runs;
const pairs = runs.length > 1 ? rows(runs[0], runs[1]) : runs[0].steps.map((_, i) => [i]);
const start = runs.length > 1 ? firstDifference(runs[0], runs[1]) : 0;
const view = { at: Math.max(start, 0), predict: false, asking: null, verdict: '', frame: -1, timer: null };

const escape = (text) => String(text).replace(/[&<>"]/g, (c) => '&#' + c.charCodeAt(0) + ';');
const commas = (number) => number.toLocaleString('en-US');
const mark = (isNew) => (isNew ? ' new' : '');
const clientTag = (name) => (/^[ABC]$/.test(name) ? `<b class="tag ${name}">${name}</b>` : escape(name));

function chips(words, isNew) {
  if (words.length === 0) return '<span class="chip empty">none</span>';
  return words.map((word) => `<span class="chip${mark(isNew)}">${word}</span>`).join(' ');
}

function row(name, content, hint) {
  return `<div class="row"><span class="name">${name}${hint ? ` <i class="inferred" title="${escape(hint)}">inferred</i>` : ''}</span> ${content}</div>`;
}

// --- the code -------------------------------------------------------------------------------------------------------

/// Of this step, or of the last one of a thread that is still in its call.
function code(run, n) {
  let from = n;
  while (from >= 0 && run.steps[from].frames.length === 0) --from;
  if (from < 0) return '<p class="dim">No line of the server has run yet, or this strace shows no functions (it is built without -k).</p>';
  const frames = run.steps[from].frames;
  const chosen = view.frame >= 0 && view.frame < frames.length ? view.frame : 0;
  const [, file, line] = frames[chosen];
  const names = frames.map(([name], i) => `<button class="frame${i === chosen ? ' on' : ''}" data-frame="${i}">${escape(name)}</button>`);
  const lines = run.files[file];
  let top = Math.max(0, line - 8);
  for (let i = line - 2; i >= Math.max(0, line - 14); --i) if (/^(\S| {4}\S).*\{$/.test(lines[i]) && !/^ *(if|for|while|try|\})/.test(lines[i])) { top = i; break; }
  const shown = lines.slice(top, Math.max(line + 4, top + 13)).map((text, i) => {
    const here = top + i + 1 === line;
    return `<span class="line${here ? ' now' : ''}"><span class="no">${here ? '▶' : ''}${top + i + 1}</span>${escape(text) || ' '}</span>`;
  });
  const whose = from === n ? '' : ` <span class="dim">· ${escape(run.steps[from].thread || 'the server')} is here meanwhile</span>`;
  return `<div class="path">${names.reverse().join('<span class="dim"> › </span>')} <span class="dim">${escape(file)}</span>${whose}</div><pre>${shown.join('')}</pre>`;
}

// --- the kernel -----------------------------------------------------------------------------------------------------

function buffer(run, name, path, part, label, before, now) {
  const amount = now.conns[name][path][part];
  const width = amount === 0 ? 0 : Math.max(1, Math.round(100 * amount / run.most[name + path + part]));
  const full = part === 1 && now.conns[name][path][0] > 0 ? ' · full' : '';
  const old = before.conns[name] ? before.conns[name][path][part] : 0;
  return `<div class="buffer ${name}${mark(old !== amount)}"><i style="width:${width}%"></i><span>${commas(amount)} <small>${label}${full}</small></span></div>`;
}

function connection(run, n, name, before, now) {
  const conn = now.conns[name];
  const client = now.clients[name];
  const inProgram = conn.hand > 0 ? commas(conn.hand) + (conn.unsent ? ' unsent' : ' read, not answered') : '0';
  const guess = (split) => (split[0] > 0 && !run.steps[n].checked ? ' <i class="inferred" title="How many bytes there are in the two buffers together follows from the calls. How they are split was read from the kernel at the next checkpoint.">split inferred</i>' : '');
  const owner = conn.owner ? row('owner of ' + name, chips([escape(conn.owner)], changed(before, now, 'conns', name, 'owner')), 'From the calls. Only whether it is armed is in a file of the kernel.') : '';
  return `<div class="conn"><div>${clientTag(name)} <span class="dim">to the server</span>${guess(conn.upSplit)}</div>
<div class="pair">${buffer(run, name, 'upSplit', 0, `${name}'s send buffer`, before, now)}<b>→</b>${buffer(run, name, 'upSplit', 1, 'server’s receive buffer', before, now)}</div>
<div class="dim">back to ${name}${guess(conn.downSplit)}</div>
<div class="pair">${buffer(run, name, 'downSplit', 0, 'server’s send buffer', before, now)}<b>→</b>${buffer(run, name, 'downSplit', 1, `${name}'s receive buffer`, before, now)}</div>
${row('in the program', `<span class="chip${mark(changed(before, now, 'conns', name, 'hand'))}">${inProgram}</span>`, 'From what read and write returned.')}${owner}
${client && client.sent > 0 ? `<p class="sum dim">sent ${commas(client.sent)} = in buffers ${commas(conn.up + conn.down)} + in the program ${commas(conn.hand)} + received ${commas(client.got)}</p>` : ''}</div>`;
}

function kernel(run, n, before, now) {
  let html = row('listen queue', now.queue.length > 0 ? chips(now.queue.map(clientTag), changed(before, now, 'queue')) : `<span class="chip empty${mark(changed(before, now, 'queue'))}">empty</span>`);
  const shown = (list) => list.map((one) => `${one.fd} ${clientTag(one.name)} ${escape(one.events)}${one.armed === false ? ' · disarmed' : ''}`);
  const returned = (wait) => (wait.waits ? '<span class="chip">not yet: it sleeps</span>' : chips(shown(wait.returned), changed(before.select || before.epoll, wait, 'returned')));
  if (now.select) html += row('select asks', chips(shown(now.select.list), changed(before, now, 'select', 'list'))) + row('select returned', returned(now.select));
  if (now.epoll) {
    const list = Object.entries(now.epoll.list);
    html += row('epoll’s interest list', list.length === 0 ? chips([], false) : list.map(([fd, one]) => chips(shown([one]), changed(before, now, 'epoll', 'list', fd))).join(' '));
    html += row('epoll_wait returned', returned(now.epoll));
    const ready = list.filter(([, one]) => one.armed && isReady(now, one)).map(([fd, one]) => `${fd} ${clientTag(one.name)}`);
    html += row('ready now', chips(ready, false), 'From the buffers. The kernel shows its ready list in no file.');
  }
  return html + Object.keys(now.conns).map((name) => connection(run, n, name, before, now)).join('');
}

/// What epoll would report for it. Of room to write, only that the buffer is empty is certain.
function isReady(now, one) {
  if (one.name === 'listener') return now.queue.length > 0;
  const conn = now.conns[one.name];
  if (!conn) return false;
  return (one.events.includes('IN') && (conn.upSplit[1] > 0 || conn.upEnd)) || (one.events.includes('OUT') && conn.downSplit[0] === 0);
}

// --- the program and the clients ------------------------------------------------------------------------------------

/// The function and line that the thread is in: those of its last step.
function place(run, n, id) {
  for (let i = n; i >= 0; --i) {
    const step = run.steps[i];
    if (step.who === id && step.frames.length > 0) return escape(`at ${step.frames[0][0]}, line ${step.frames[0][2]}`);
  }
  return '';
}

function thread(run, n, id, before, now) {
  const one = now.threads[id];
  const acts = run.steps[n].who === id;
  const nicer = { clock_nanosleep: 'sleeps: <b>a slow request</b>', futex: 'sleeps <b>until it is woken</b>' };
  const does = one.waits ? nicer[one.call] || `sleeps in <b>${escape(one.call)}</b>` : acts ? `<b>runs</b>` : 'runs on, or is about to';
  return `<div class="row${mark(acts || changed(before, now, 'threads', id))}"><span class="name">${one.waits ? '☾' : '▶'} ${escape(one.name)}</span> ${does} <span class="dim">${one.waits && one.call === 'futex' ? '' : place(run, n, id)}</span></div>`;
}

function program(run, n, before, now) {
  let html = Object.keys(now.threads).map((id) => thread(run, n, id, before, now)).join('');
  for (const [pid, process] of Object.entries(now.procs)) {
    const cells = Object.entries(process.fds).map(([fd, what]) => `<span class="fd${mark(changed(before, now, 'procs', pid, 'fds', fd))}"><b>${fd}</b> ${clientTag(what)}</span>`);
    html += row(`file descriptors of ${escape(process.name)}`, process.ended ? '<span class="chip">zombie: it has none</span>' : `<span class="fd"><b>0 1 2</b> terminal</span>${cells.join('')}`);
  }
  if (now.queues) {
    for (const which of ['read', 'write']) html += row(which + ' queue', chips(now.queues[which].map(clientTag), changed(before, now, 'queues', which)), 'From what epoll_wait returned and what the workers did.');
  }
  return html;
}

function clients(run, n, before, now) {
  const names = Object.keys(now.clients);
  if (names.length === 0) return '<p class="dim">Nobody is here yet.</p>';
  return names.map((name) => {
    const client = now.clients[name];
    const waiting = waits(now, name) ? `<p class="waits">waits for the server since step ${waitsSince(run, n, name) + 1}</p>` : '';
    const unread = now.conns[name] && now.conns[name].downSplit[1] > 0 ? `<p>has not read ${commas(now.conns[name].downSplit[1])} bytes that are there</p>` : '';
    return `<div class="client ${name}${mark(changed(before, now, 'clients', name))}"><p>${clientTag(name)} ${escape(client.doing)}</p><p class="dim">sent ${commas(client.sent)}, got back ${commas(client.got)}</p>${unread}${waiting}</div>`;
  }).join('');
}

// --- the time line ----------------------------------------------------------------------------------------------------

function timeline(run, n) {
  const count = run.steps.length;
  const states = run.steps.map((_, i) => state(run, i));
  const ids = [...new Set(states.flatMap((now) => Object.keys(now.threads)))];
  const nameOf = (id) => states.map((now) => now.threads[id]).find(Boolean).name;
  const names = [...new Set(states.flatMap((now) => Object.keys(now.clients)))];
  const left = 112, width = 1200, unit = (width - left) / count, high = 20;
  const bar = (i, lane, kinds, title) => `<rect class="${kinds}" x="${left + i * unit}" y="${22 + lane * high}" width="${unit + 0.3}" height="13"><title>${escape(title)}</title></rect>`;
  const height = 28 + high * (names.length + ids.length);
  let svg = '';
  run.steps.forEach(({ part }, i) => {
    if (i > 0 && run.steps[i - 1].part === part) return;
    const x = left + i * unit;
    const room = run.steps.filter((other) => other.part === part).length * unit;
    svg += `<path class="part" d="M${x} 2V${height - 2}"/><text class="parts" x="${x + 4}" y="13">${escape(room > 6.5 * part.length ? part : '…')}</text>`;
  });
  [...names, ...ids].forEach((id, lane) => {
    svg += `<text x="0" y="${33 + lane * high}">${escape(lane < names.length ? id : nameOf(id))}</text>`;
    states.forEach((now, i) => {
      if (lane < names.length) {
        if (!now.conns[id] || !now.conns[id].open) return;
        svg += bar(i, lane, waits(now, id) ? 'wait' : id, waits(now, id) ? 'waits' : 'is connected');
      } else if (now.threads[id]) {
        const one = now.threads[id];
        svg += bar(i, lane, one.waits ? 'sleep' : one.about || 'run', one.waits ? 'sleeps in ' + one.call : 'runs');
      }
      if (run.steps[i].who === id) svg += `<circle cx="${left + (i + 0.5) * unit}" cy="${28.5 + lane * high}" r="2.5"/>`;
    });
  });
  const x = left + (n + 0.5) * unit;
  return `<svg class="time" data-left="${left / width}" viewBox="0 0 ${width} ${height}" role="img" aria-label="step ${n + 1} of ${count}">${svg}<path class="cursor" d="M${x} 0V${height}"/></svg>`;
}

// --- the page -------------------------------------------------------------------------------------------------------

function sentence(run, n) {
  const step = run.steps[n];
  const who = step.thread && Object.keys(state(run, n).threads).length > 1 ? `<span class="who">${escape(step.thread)}</span> ` : '';
  const ids = step.ids.split(', ').filter(Boolean).map((id) => `<details class="id"><summary>${id}</summary>${escape(run.statements[id] || '')}</details>`);
  const checked = step.checked ? ' <span class="checked" title="The queue, the buffers, the file descriptors and the interest list were read from the kernel here, and they are as shown.">✓ the kernel says the same</span>' : '';
  return `${view.verdict}${who}<code>${escape(step.title)}</code><br>${escape(step.text)} ${ids.join(' ')}${checked}`;
}

function ask(question) {
  const choices = question.choices.map((choice, i) => `<button class="choice" data-choice="${i}"><kbd>${i + 1}</kbd> ${escape(choice)}</button>`);
  return `<b>What comes next?</b> ${escape(question.ask)}<div class="choices">${choices.join('')}</div>`;
}

function panels(run, n) {
  const now = state(run, n);
  const before = n > 0 ? state(run, n - 1) : { conns: {}, clients: {}, threads: {}, procs: {}, queue: [] };
  return `<div class="cols"><section><h2>the code that runs</h2>${code(run, n)}</section>
<section><h2>the kernel</h2>${kernel(run, n, before, now)}</section>
<section><h2>the program</h2>${program(run, n, before, now)}<h2>the clients</h2>${clients(run, n, before, now)}</section></div>
<section>${timeline(run, n)}</section>`;
}

function nav() {
  const names = Object.keys(state(runs[0], runs[0].steps.length - 1).clients);
  const per = names.map((name) => `<button data-client="${name}" title="the next change for ${name}">next for ${clientTag(name)}</button>`);
  return `<nav><button data-go="-1" title="left arrow">◀ back</button><button class="main" data-go="1" title="right arrow">next ▶</button><button data-play="1" title="space">${view.timer ? '❚❚ stop' : 'play'}</button>
<button data-part="-1" title="page up">⇤ part</button><button data-part="1" title="page down">part ⇥</button>${per.join('')}
${runs.length > 1 ? '' : `<label><input type="checkbox" id="predict"${view.predict ? ' checked' : ''}> predict</label>`}<span class="dim keys">keys: ← → space, PgUp PgDn, A B C, P, 1–5</span></nav>`;
}

function draw() {
  const shown = pairs[view.at];
  const many = runs.length > 1;
  const titles = many ? data.titles : [runs[0].chapter];
  const order = runs[0].chapter.startsWith('06') ? ' · the order of the threads is one of several possible ones' : '';
  const views = runs.map((run, side) => `<div class="run">${many ? `<h1>${escape(titles[side])}</h1>` : ''}<div class="says" aria-live="polite">${view.asking ? ask(view.asking) : sentence(run, shown[side])}</div>${panels(run, shown[side])}</div>`);
  const step = runs[0].steps[shown[0]];
  document.getElementById('main').innerHTML = `<header><h1>${escape(many ? data.name : titles[0])}</h1><span>${escape(step.part)}${order}</span><span class="count">step ${view.at + 1} of ${pairs.length}${many && view.at === start ? ' · here the two part' : ''}${start < 0 ? ' · in this scene both do the same' : ''}</span></header>
<div class="runs${many ? ' two' : ''}">${views.join('')}</div>${nav()}`;
  document.title = `${many ? data.name : titles[0]}, step ${view.at + 1}`;
}

function go(to, force) {
  const at = Math.min(Math.max(to, 0), pairs.length - 1);
  const question = runs.length === 1 && runs[0].steps[at].question;
  view.verdict = '';
  view.frame = -1;
  view.asking = !force && view.predict && at === view.at + 1 && question ? question : null;
  if (!view.asking) view.at = at;
  history.replaceState(null, '', '#' + (view.at + 1));
  draw();
}

function choose(number) {
  const question = view.asking;
  if (!question || number >= question.choices.length) return;
  const right = question.choices[number] === question.right;
  go(view.at + 1, true);
  view.verdict = `<div class="verdict ${right ? 'right' : 'wrong'}">${right ? '✓ Right.' : `✗ You said: ${escape(question.choices[number])}. It is: ${escape(question.right)}.`} ${escape(question.why)}</div>`;
  draw();
}

function part(by) {
  const partAt = (i) => runs[0].steps[pairs[i][0]].part;
  let at = view.at;
  while (at + by >= 0 && at + by < pairs.length && partAt(at + by) === partAt(view.at)) at += by;
  go(at + by, true);
}

function client(name) {
  const next = nextFor(runs[0], pairs[view.at][0], name);
  go(pairs.findIndex(([step]) => step === next), true);
}

function play() {
  clearInterval(view.timer);
  view.timer = view.timer ? null : setInterval(() => (view.at + 1 < pairs.length && !view.asking ? go(view.at + 1) : play()), 2500);
  draw();
}

function predict() {
  view.predict = !view.predict;
  view.asking = null;
  draw();
}

document.addEventListener('click', (event) => {
  const of = event.target.closest('[data-go],[data-part],[data-client],[data-play],[data-choice],[data-frame],svg.time');
  if (!of) return;
  const { go: by, part: byPart, client: name, choice, frame } = of.dataset;
  if (by) go(view.at + Number(by));
  else if (byPart) part(Number(byPart));
  else if (name) client(name);
  else if (choice) choose(Number(choice));
  else if (of.dataset.play) play();
  else if (frame) { view.frame = Number(frame); draw(); }
  else scrub(of, event.clientX);
});

/// To the step at this place of the time line.
function scrub(svg, x) {
  const box = svg.getBoundingClientRect();
  const left = box.width * Number(svg.dataset.left);
  const side = [...document.querySelectorAll('svg.time')].indexOf(svg);
  const step = Math.floor((x - box.left - left) / (box.width - left) * runs[side].steps.length);
  if (step >= 0) go(pairs.findIndex((pair) => pair[side] >= step), true);
}

document.addEventListener('change', (event) => { if (event.target.id === 'predict') predict(); });
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const keys = { ArrowRight: () => go(view.at + 1), ArrowLeft: () => go(view.at - 1, true), ' ': play, PageDown: () => part(1), PageUp: () => part(-1), Home: () => go(0, true), End: () => go(pairs.length - 1, true), p: predict, P: predict };
  const name = event.key.toUpperCase();
  if (keys[event.key]) keys[event.key]();
  else if (/^[1-9]$/.test(event.key)) choose(Number(event.key) - 1);
  else if (state(runs[0], runs[0].steps.length - 1).clients[name]) client(name);
  else return;
  event.preventDefault();
});
window.addEventListener('hashchange', () => go(Number(location.hash.slice(1)) - 1, true));

// How full each buffer ever is: so the bars of one buffer can be compared from step to step.
for (const run of runs) {
  run.most = {};
  for (const [name, conn] of run.steps.flatMap((_, i) => Object.entries(state(run, i).conns))) {
    for (const path of ['upSplit', 'downSplit']) conn[path].forEach((amount, side) => { run.most[name + path + side] = Math.max(run.most[name + path + side] || 1, amount); });
  }
}
go(location.hash ? Number(location.hash.slice(1)) - 1 : view.at, true);
