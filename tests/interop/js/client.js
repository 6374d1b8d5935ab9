// SPDX-License-Identifier: Apache-2.0
// @grpc/grpc-js with messages that it reads from the .proto files at run time: gRPC that shares no
// code with the server's. Arguments: the source folder, HOST:PORT. The packages are where
// OMSERVE_NODE_MODULES says.
'use strict';

const assert = require('node:assert/strict');
const { createRequire } = require('node:module');
const path = require('node:path');

const borrowed = createRequire(path.join(process.env.OMSERVE_NODE_MODULES, 'anything.js'));
const grpc = borrowed('@grpc/grpc-js');
const loader = borrowed('@grpc/proto-loader');

const [source, address] = process.argv.slice(2);
const definition = loader.loadSync('proto/inference/grpc_service.proto', {
  includeDirs: [source], keepCase: true, longs: Number, defaults: true, oneofs: true,
});
const { GRPCInferenceService } = grpc.loadPackageDefinition(definition).inference;
const client = new GRPCInferenceService(address, grpc.credentials.createInsecure(), {
  'grpc.max_receive_message_length': -1,
});

function call(method, request) {
  return new Promise((resolve, reject) => {
    client[method](request, { deadline: Date.now() + 30000 },
      (error, response) => (error ? reject(error) : resolve(response)));
  });
}

function textRequest(rows, id) {
  const numbers = (value) => {
    const bytes = Buffer.alloc(8 * 32 * rows);
    for (let i = 0; i < 32 * rows; ++i) {
      bytes.writeBigInt64LE(BigInt(value(i % 32)), 8 * i);
    }
    return bytes;
  };
  return {
    model_name: 'text', id,
    inputs: ['input_ids', 'attention_mask'].map(
      (name) => ({ name, datatype: 'INT64', shape: [rows, 32] })),
    raw_input_contents: [numbers((i) => (i < 8 ? 3 + i % 7 : 0)), numbers((i) => (i < 8 ? 1 : 0))],
  };
}

async function checkSingleCalls() {
  assert.equal((await call('ServerReady', {})).ready, true);
  assert.equal((await call('ServerMetadata', {})).name, 'omserve');
  assert.equal((await call('ModelConfig', { name: 'text' })).config.max_batch_size, 1024);
  for (const rows of [1, 8, 300]) {
    const answer = await call('ModelInfer', textRequest(rows, `rows ${rows}`));
    assert.equal(answer.id, `rows ${rows}`);
    assert.equal(answer.raw_output_contents[0].length, rows * 32 * 96 * 4);
  }
  await assert.rejects(call('ModelInfer', { model_name: 'nobody' }),
    (error) => error.code === grpc.status.NOT_FOUND && error.details.includes("'nobody'"));
  const many = Array.from({ length: 100 }, (_, i) => call('ModelInfer', textRequest(1, `${i}`)));
  (await Promise.all(many)).forEach((answer, i) => assert.equal(answer.id, `${i}`));
}

function checkStream() {
  return new Promise((resolve, reject) => {
    const stream = client.ModelStreamInfer({ deadline: Date.now() + 30000 });
    const ids = [];
    stream.on('data', (answer) => {
      assert.equal(answer.error_message, '');
      ids.push(answer.infer_response.id);
    });
    stream.on('error', reject);
    stream.on('end', () => {
      assert.deepEqual(ids, Array.from({ length: 50 }, (_, i) => `${i}`));
      resolve();
    });
    for (let i = 0; i < 50; ++i) {
      stream.write(textRequest(1, `${i}`));
    }
    stream.end();
  });
}

checkSingleCalls().then(checkStream).then(
  () => { client.close(); console.log('grpc-js: all is well'); },
  (error) => { console.error(error); process.exit(1); });
