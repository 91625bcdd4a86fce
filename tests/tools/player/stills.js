// Makes player.png in each chapter's folder, the best moment of its recording: node tests/tools/player/stills.js FOLDER
'use strict';
const fs = require('fs');
const path = require('path');
const { execFileSync } = require('child_process');

const best = { // what the step is called, the how many-th of these, and how high the picture is
  '01-blocking-server': [/^C connects/, 0, 960],
  '02-fork-per-client': [/^fork/, 0, 705],
  '03-select-server': [/^write.* sleeps/, 0, 880],
  '04-nonblocking-fcntl': [/^select.*write \[4\]\) sleeps/, 0, 880],
  '05-epoll-server': [/^epoll_wait.*6 \(B\) IN$/, 1, 880],
  '06-epoll-threadpool': [/^the request takes its time/, 1, 1015],
};
const folder = path.resolve(process.argv[2]);
for (const [chapter, [title, which, height]] of Object.entries(best)) {
  const page = path.join(folder, chapter + '.html');
  const { steps } = JSON.parse(fs.readFileSync(page, 'utf8').match(/id="data">(.*?)<\/script>/s)[1]).runs[0];
  const at = steps.map((_, n) => n).filter((n) => title.test(steps[n].title))[which];
  if (at === undefined) throw new Error(`${chapter}: no step is called ${title}`);
  const shot = path.join(folder, chapter + '.png');
  execFileSync('chromium', ['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', `--window-size=1280,${height}`, '--screenshot=' + shot, `file://${page}#${at + 1}`], { stdio: 'ignore' });
  execFileSync('pngquant', ['--force', '--output', path.join(chapter, 'player.png'), '64', shot]);
  console.log(`${chapter}/player.png: step ${at + 1}, ${steps[at].title}`);
}
