// What it costs to sort a full batch by client and length so that answers leave in groups: by how many clients there are.

import type { MmsgBatch } from '../../core/system/batch.js';
import { createSocketLayer } from '../../core/system/layer.js';
import { writeSockaddr } from '../../core/wire/sockaddr.js';
import { measure } from './rounds.js';

const CALLS = 2000;
const BATCH = 256;
const SOCKADDR_IN_BYTES = 16;

for (const clients of [1, 8, 64, 256]) {
  const batch = createSocketLayer({ force: 'mmsg' }).createBatch(BATCH, 512) as MmsgBatch;
  for (let i = 0; i < BATCH; i++) {
    writeSockaddr(batch.peers[i] as Uint8Array, '192.0.2.1', 1024 + (i % clients));
    batch.lengths[i] = 80 + (i % 3);
  }
  measure(`group: batch of ${BATCH}, ${clients} clients, per datagram`, CALLS * BATCH, (calls) => {
    let groups = 0;
    for (let i = 0; i < calls; i += BATCH)
      groups += batch.segments.group(0, BATCH, SOCKADDR_IN_BYTES);
    return groups;
  });
}
