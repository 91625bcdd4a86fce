// A right echo server for Node. Usage: node pipe.js PORT
const net = require('net');

net.createServer({ allowHalfOpen: true }, client => {
    client.on('error', () => client.destroy());
    client.pipe(client);
}).listen({ port: +process.argv[2], host: '127.0.0.1', backlog: 4096 });
