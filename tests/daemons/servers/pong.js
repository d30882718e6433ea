// SPDX-License-Identifier: Apache-2.0
// A daemon for node: usage: pong.js PATH; every request is answered by "pong".
const fs = require('fs');
const net = require('net');

const path = process.argv[2];
fs.rmSync(path, { force: true });
const server = net.createServer((client) => {
  client.on('error', () => {});
  client.once('data', () => client.end('pong\n'));
});
server.listen(path);
process.on('SIGTERM', () => server.close(() => process.exit(0)));
