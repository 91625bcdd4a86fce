// Tests the pages: what needs no browser, and then, with Debian's chromium, each page from its first step to its last.
// Usage: node tests/tools/player/page_test.js FOLDER
'use strict';
const assert = require('assert');
const fs = require('fs');
const path = require('path');
const { spawn } = require('child_process');
const { state, rows, firstDifference, nextFor } = require('./state.js');

const folder = path.resolve(process.argv[2]);
const pages = fs.readdirSync(folder).filter((name) => name.endsWith('.html') && name !== 'index.html').sort();
const dataOf = (page) => JSON.parse(fs.readFileSync(path.join(folder, page), 'utf8').match(/id="data">(.*?)<\/script>/s)[1]);

function testRun(run) {
  run.steps.forEach((step, n) => {
    for (const [name, { open, upSplit, downSplit, hand }] of Object.entries(state(run, n).conns)) {
      const { sent, got } = state(run, n).clients[name];
      const sum = [...upSplit, ...downSplit, hand, got].reduce((all, more) => all + more);
      assert(!open || sum === sent, `bytes of ${name} at step ${n + 1}: sent ${sent}, and in all ${sum}`);
    }
    assert(step.text && !/[{}]/.test(step.title + step.text + step.ids), `words of step ${n + 1}: ${step.title} ${step.text}`);
    for (const [, file, line] of step.frames) assert(run.files[file].length >= line, `${file}:${line}`);
    if (step.question) assert(step.question.choices.includes(step.question.right) && step.question.choices.length > 1);
  });
  const next = nextFor(run, 0, 'A');
  assert(next > 0 && JSON.stringify(state(run, next - 1).clients.A) !== JSON.stringify(state(run, next).clients.A));
}

function testPair(page, [one, other]) {
  const pairs = rows(one, other);
  assert(pairs.every(([a, b], i) => i === 0 || (a >= pairs[i - 1][0] && b >= pairs[i - 1][1])));
  assert.deepStrictEqual(pairs[pairs.length - 1], [one.steps.length - 1, other.steps.length - 1]);
  assert.strictEqual(firstDifference(one, one), -1);
  const first = firstDifference(one, other);
  assert(first > 0, `${page}: the two do the same`);
  const [here, there] = pairs[first];
  console.log(`     ${page}: step ${here + 1}, "${one.steps[here].title}" and "${other.steps[there].title}"`);
}

// --- with a browser ---------------------------------------------------------------------------------------------------

const keys = { right: '\uE014', left: '\uE012', home: '\uE011', end: '\uE010' };

class Browser {
  /// chromedriver chooses a port for IPv6, and now and then the same port is taken for IPv4: then it ends.
  async start(times = 5) {
    try { await this.startOnce(); } catch (error) { if (times === 1) throw error; await this.start(times - 1); }
  }
  async startOnce() {
    this.driver = spawn('chromedriver', ['--port=0'], { stdio: ['ignore', 'pipe', 'ignore'] });
    const port = await new Promise((resolve, reject) => {
      let said = '';
      this.driver.stdout.on('data', (text) => { said += text; const found = said.match(/on port (\d+)\./); if (found) resolve(found[1]); });
      this.driver.on('exit', () => reject(new Error('chromedriver has ended: ' + said)));
    });
    this.url = `http://127.0.0.1:${port}/session`;
    const options = { args: ['--headless', '--no-sandbox', '--disable-gpu', '--window-size=1280,1000'] };
    const session = await this.post('', { capabilities: { alwaysMatch: { 'goog:chromeOptions': options, 'goog:loggingPrefs': { browser: 'ALL' } } } });
    this.url += '/' + session.sessionId;
  }
  async post(what, body) {
    const answer = await (await fetch(this.url + what, { method: 'POST', body: JSON.stringify(body) })).json();
    if (answer.value && answer.value.error) throw new Error(answer.value.message);
    return answer.value;
  }
  async stop() {
    await fetch(this.url, { method: 'DELETE' });
    this.driver.kill();
  }
  run(script) { return this.post('/execute/sync', { script, args: [] }); }
  press(key) { return this.post('/actions', { actions: [{ type: 'key', id: 'k', actions: [{ type: 'keyDown', value: key }, { type: 'keyUp', value: key }] }] }); }
  /// All that is shown, and the number of the step.
  shown() { return this.run('return [location.hash, document.getElementById("main").innerText]'); }
}

/// To the end and back by keyboard: the same steps look the same both ways, the focus stays, and no script fails.
async function walk(browser, page, count) {
  await browser.post('/url', { url: `file://${folder}/${page}` });
  await browser.press(keys.home);
  const there = [await browser.shown()];
  for (let n = 1; n < count; ++n) { await browser.press(keys.right); there.push(await browser.shown()); }
  assert.strictEqual(there[count - 1][0], '#' + count);
  const [command, spoken, says] = await browser.run(`document.querySelector('[data-do="step -1"]').focus();
    document.activeElement.click(); document.querySelector('[data-do="step 1"]').focus(); document.activeElement.click();
    return [document.activeElement.dataset.do, document.getElementById('spoken').textContent, document.querySelector('.says').innerText];`);
  assert.deepStrictEqual([command, spoken], ['step 1', says]);
  for (let n = count - 2; n >= 0; --n) { await browser.press(keys.left); assert.deepStrictEqual(await browser.shown(), there[n]); }
  const errors = (await browser.post('/se/log', { type: 'browser' })).filter((entry) => entry.level === 'SEVERE');
  assert.deepStrictEqual(errors, []);
}

/// Predict hides the step until a choice is made, refuses a wrong one and accepts the right one.
async function predict(browser, page, run) {
  const n = run.steps.findIndex((step, i) => i > 0 && step.question);
  const question = run.steps[n].question;
  for (const right of [false, true]) {
    await browser.run(`location.hash = '#${n}'; return 0`);
    await browser.run('return new Promise((done) => setTimeout(done, 0))');
    await browser.press('p');
    await browser.press(keys.right);
    const [hash, asked] = await browser.shown();
    assert.strictEqual(hash, '#' + n);
    assert(asked.includes(question.ask), `${page}: asks before step ${n + 1}`);
    await browser.press(String(1 + question.choices.findIndex((choice) => (choice === question.right) === right)));
    const [after, answer] = await browser.shown();
    assert.strictEqual(after, '#' + (n + 1));
    assert(answer.includes(right ? '✓ Right.' : '✗ You said'), `${page}: ${right ? 'accepts' : 'refuses'}`);
    await browser.press('p');
  }
}

/// At 390 pixels nothing is wider than the window, and the sentence and the buttons are in it wherever one scrolls.
async function narrow(browser, page) {
  const size = (width, height) => browser.post('/goog/cdp/execute', { cmd: 'Emulation.setDeviceMetricsOverride', params: { width, height, deviceScaleFactor: 1, mobile: false } });
  await size(390, 844);
  const [width, says, nav] = await browser.run(`scrollTo(0, 500);
    const box = (what) => document.querySelector(what).getBoundingClientRect();
    return [document.documentElement.scrollWidth, box('.says').top, box('nav').bottom];`);
  await size(1280, 1000);
  assert(width <= 390, `${page} is ${width} pixels wide`);
  assert(says >= 0 && says < 844, `${page}: the sentence is at ${says}`);
  assert(nav <= 845, `${page}: the buttons end at ${nav}`);
}

async function main() {
  const browser = new Browser();
  await browser.start();
  try {
    for (const page of pages) {
      const { runs } = dataOf(page);
      runs.forEach(testRun);
      assert(fs.statSync(path.join(folder, page)).size < 1e6);
      if (runs.length > 1) {
        testPair(page, runs);
      } else {
        await walk(browser, page, runs[0].steps.length);
        await predict(browser, page, runs[0]);
        await narrow(browser, page);
      }
      console.log('ok   ' + page);
    }
  } finally {
    await browser.stop();
  }
}

main().catch((error) => { console.error(error); process.exitCode = 1; });
