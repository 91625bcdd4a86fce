// Makes a page of recordings, and an index of the pages beside it.
// Usage: node tests/tools/player/pages.js FOLDER/NAME.json   (as the player writes it)
'use strict';
const fs = require('fs');
const path = require('path');
const { execFileSync } = require('child_process');
const { makeSteps } = require('./model.js');
const { firstDifference } = require('./state.js');

const read = (file) => fs.readFileSync(file, 'utf8');

/// The function around a line of a file, and its first line: the nearest line above with less indentation that opens
/// one, or the line itself where a function has only one. addr2line names an inlined function after the function that
/// it is in.
function functionAround(lines, number) {
  let inner = Infinity;
  for (let at = number; at > 0; --at) {
    const line = lines[at - 1];
    const indent = line.search(/\S/);
    if (indent < 0 || indent >= inner) continue;
    inner = indent;
    const opens = line.trim().match(/^(?!(?:if|for|while|switch|})\s)[^(]*?([^\s(]*)\(.*([{}])$/);
    if (opens && (opens[2] === '{' || at === number)) return [opens[1], at];
  }
  return ['', 0];
}

/// The addresses of a stack that are in the program: " > /home/me/05-epoll-server/server(main+0x5c0) [0x4260]". It is
/// the one before that to which the function would return, so that it is in the call.
function addressesIn(stack, program) {
  const name = program.split('/').slice(-2).join('/');
  const lines = stack.filter((line) => line.includes(`/${name}(`));
  return lines.map((line) => '0x' + (parseInt(line.match(/\[0x(\w+)\]/)[1], 16) - 1).toString(16));
}

/// Where each address is in this project's code: [function, file, line, first line of the function], and more than one
/// of them where functions were inlined. Also the lines of these files.
function placesOf(addresses, program) {
  const places = {}, files = {};
  if (addresses.length === 0) return { places, files };
  const [chapter] = program.split('/').slice(-2);
  const found = execFileSync('addr2line', ['-a', '-i', '-e', program, ...addresses], { encoding: 'utf8' });
  for (const part of found.split(/^0x/m).slice(1)) { // "000000000000425f\n/home/me/common/fd.h:27 (discriminator 2)\n"
    const [address, ...lines] = part.trim().split('\n');
    places['0x' + address.replace(/^0+/, '')] = lines.flatMap((line) => {
      const [, where, number] = line.match(/^(.*):(\d+|\?)/);
      const file = path.normalize(where).split('/').slice(-2).join('/');
      if (![chapter, 'common'].includes(path.dirname(file)) || !fs.existsSync(where)) return [];
      files[file] ??= read(where).trimEnd().split('\n');
      const [name, first] = functionAround(files[file], Number(number));
      return name ? [[name, file, Number(number), first]] : [];
    });
  }
  return { places, files };
}

/// What each statement of the article says, from the table of the claims.
const claims = read('tests/claims/README.md').matchAll(/^\| ([SCT]\d+) \| (.*?) \|/gm);
const statements = Object.fromEntries([...claims].map(([, id, says]) => [id, says]));

function runOf(recording) {
  const { chapter, program, calls } = recording;
  const addresses = new Set(calls.flatMap(({ stack }) => addressesIn(stack, program)));
  const { places, files } = placesOf([...addresses], program);
  for (const call of calls) call.frames = addressesIn(call.stack, program).flatMap((address) => places[address]);
  return { chapter, files, statements, steps: makeSteps(recording) };
}

/// One file with everything in it. A "<" in the data must not end the script that it is in.
function writePage(file, data) {
  const here = (name) => read(path.join(__dirname, name));
  const parts = { STYLE: here('page.css'), SCRIPTS: here('state.js') + here('page.js'),
    DATA: JSON.stringify(data).replaceAll('<', '\\u003c') };
  fs.writeFileSync(file, here('page.html').replace(/STYLE|SCRIPTS|DATA/g, (word) => parts[word]));
  console.log(`${file} is written: open it in a browser`);
}

function writeIndex(folder) {
  const pages = fs.readdirSync(folder).filter((name) => name.endsWith('.html') && name !== 'index.html').sort();
  const links = pages.map((name) => `<p><a href='${name}'>${path.basename(name, '.html')}</a></p>\n`);
  fs.writeFileSync(path.join(folder, 'index.html'), `<!doctype html>
<html lang=en><meta charset=utf-8><meta name=color-scheme content='light dark'><meta name=viewport content='width=device-width'>
<title>See inside</title><h1>See inside</h1><p>Servers, recorded call by call. Step through with the arrow keys.</p>
${links.join('')}</html>
`);
}

function makePage(recorded) {
  const { name, titles, runs } = JSON.parse(read(recorded));
  const data = { name, titles, runs: runs.map(runOf) };
  if (data.runs[0].steps.length < 20) throw new Error(`${name}: fewer than 20 steps`);
  if (titles && firstDifference(...data.runs) < 0) {
    throw new Error(`${name}: in this scene both servers do the same, so there is nothing to compare.`);
  }
  writePage(recorded.replace(/json$/, 'html'), data);
  writeIndex(path.dirname(recorded));
}

try {
  makePage(process.argv[2]);
} catch (error) {
  process.stderr.write(error.name === 'Error' ? error.message : error.stack); // of a mistake in a script, where it is
  process.exitCode = 1;
}
