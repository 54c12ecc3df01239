// node: buffers, objects, strings, JSON
let rows = [];
for (let i = 0; i < 60000; i++)
	rows.push({ id: i, name: 'name ' + i, tags: ['a' + (i % 7), 'b' + (i % 11)], score: i / 3 });
for (let k = 0; k < 3; k++) rows = JSON.parse(JSON.stringify(rows));
const kept = new Array(400);
let sum = 0;
for (let i = 0; i < 60000; i++) {
	const b = Buffer.allocUnsafeSlow(1024 + (i * 7919) % 65536);
	b[0] = i & 255;
	sum += b[0];
	kept[i % 400] = b;
}
const zlib = require('zlib');
for (let i = 0; i < 200; i++) sum += zlib.deflateSync(kept[i]).length > 0;
console.log(rows.length, sum);
