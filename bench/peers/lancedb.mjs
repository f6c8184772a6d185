// lancedb.mjs - a LanceDB table that is told what to do through a socket: one process of lancedb.cc's.
//
//   node lancedb.mjs FOLDER_OF_NODE_MODULES
//
// The socket is the standard input, read and written. A request is four numbers of 32 bits (what,
// and three that depend on it) and the bytes that they promise; an answer is how long it is and
// that many bytes, or -1 - n and n bytes of an error's text. Numbers are of this machine's order.
import fs from 'node:fs';
import { createRequire } from 'node:module';

const packages = createRequire(`${process.argv[2]}/`);
const lancedb = packages('@lancedb/lancedb');
const arrow = packages('apache-arrow');

process.on('SIGINT', () => {}); // the other end decides, and hangs up

const socket = 0;

// Nothing when the other end has gone.
function read(length) {
  const bytes = Buffer.alloc(length);
  for (let done = 0; done < length;) {
    const got = fs.readSync(socket, bytes, done, length - done, null);
    if (got === 0) return undefined;
    done += got;
  }
  return bytes;
}

function answer(length, bytes) {
  const head = Buffer.alloc(4);
  head.writeInt32LE(length);
  const all = Buffer.concat([head, bytes]);
  for (let done = 0; done < all.length;) done += fs.writeSync(socket, all, done);
}

const floats = (bytes) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
const keys = (bytes) => new BigInt64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8);

let table;
let dimension;
let metric;
let waiting = []; // batches that are not in the table yet

function batchOf(ids, vectors) {
  const item = new arrow.Field('item', new arrow.Float32(), true);
  const schema = new arrow.Schema([
    new arrow.Field('key', new arrow.Int64(), false),
    new arrow.Field('vector', new arrow.FixedSizeList(dimension, item), false),
  ]);
  const length = ids.length;
  const child = arrow.makeData({ type: new arrow.Float32(), data: vectors });
  const children = [
    arrow.makeData({ type: new arrow.Int64(), data: ids }),
    arrow.makeData({ type: schema.fields[1].type, length, nullCount: 0, child }),
  ];
  const data = arrow.makeData({ type: new arrow.Struct(schema.fields), length, children });
  return new arrow.RecordBatch(schema, data);
}

const tableOf = (batches) => new arrow.Table(batches);

const requests = {
  // Opens the folder: metric 0 l2, 1 ip, 2 cosine; dimension; bytes of the folder's name. A table
  // that somebody has made there is taken.
  async o(which, dimensions, length) {
    const folder = read(length).toString();
    metric = ['l2', 'dot', 'cosine'][which];
    dimension = dimensions;
    const database = await lancedb.connect(folder);
    const names = await database.tableNames();
    if (names.includes('vectors')) {
      table = await database.openTable('vectors');
    } else {
      const fields = batchOf(new BigInt64Array(0), new Float32Array(0)).schema;
      table = await database.createEmptyTable('vectors', fields);
    }
  },

  // Rows to add: how many.
  async a(count) {
    const ids = keys(read(count * 8));
    waiting.push(batchOf(ids, floats(read(count * dimension * 4))));
  },

  // All that was added goes into the table, and is indexed: M, ef_construction.
  async i(m, efConstruction) {
    await table.add(tableOf(waiting));
    waiting = [];
    const options = { distanceType: metric, numPartitions: 1, m, efConstruction };
    await table.createIndex('vector', { config: lancedb.Index.hnswSq(options) });
  },

  // One row, in place of the one with its key.
  async u() {
    const row = tableOf([batchOf(keys(read(8)), floats(read(dimension * 4)))]);
    await table.mergeInsert('key').whenMatchedUpdateAll().whenNotMatchedInsertAll().execute(row);
  },

  // A key to remove.
  async r() {
    await table.delete(`key = ${keys(read(8))[0]}`);
  },

  // What others have written since is to be seen.
  async l() {
    await table.checkoutLatest();
  },

  // A search: k, ef, how many times k are re-ranked (0: none).
  async s(k, ef, refine) {
    let query = table.query().nearestTo(floats(read(dimension * 4))).column('vector')
      .distanceType(metric).limit(k).nprobes(1).ef(ef);
    if (refine > 0) query = query.refineFactor(refine);
    const found = await query.select(['key', '_distance']).toArrow();
    const ids = found.getChild('key').toArray();
    return Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength);
  },
};

for (let head = read(16); head; head = read(16)) {
  const request = requests[String.fromCharCode(head.readUInt32LE(0))];
  try {
    const bytes = await request(head.readUInt32LE(4), head.readUInt32LE(8), head.readUInt32LE(12));
    answer(bytes ? bytes.length : 0, bytes ?? Buffer.alloc(0));
  } catch (error) {
    const text = Buffer.from(String(error.message ?? error));
    answer(-1 - text.length, text);
  }
}
process.exit(0);
