// Tells a client its own address, port and transport in the additional section.
import {
  addressOffset,
  familyOf,
  type Handler,
  type MessageBuilder,
  type Query,
  Rcode,
  Section,
  Transport,
} from '../../core/plugin.js';

/** What is true of this query may not be true of the next. */
const TTL = 0;

/** Longest name in wire form (RFC 1035 2.3.4), and the label that goes before it: a length octet and `_udp` or `_tcp`. */
const MAX_NAME_BYTES = 255;
const LABEL_BYTES = 5;
const UDP_LABEL = Buffer.from('\x04_udp');
const TCP_LABEL = Buffer.from('\x04_tcp');

const AUTHORITATIVE = { authoritative: true };

export function whoamiHandler(): Handler {
  // Made once, because what is made in `serve` is made for every query.
  const service = new Uint8Array(MAX_NAME_BYTES);
  const srv = { priority: 0, weight: 0, port: 0, target: new Uint8Array(1) };

  function fill(builder: MessageBuilder, q: Query): void {
    const qname = q.wire.subarray(q.qnameOffset, q.qnameEnd);
    addAddress(builder, qname, q.peer);
    if (qname.length + LABEL_BYTES > MAX_NAME_BYTES) return;
    service.set(q.transport === Transport.UDP ? UDP_LABEL : TCP_LABEL);
    service.set(qname, LABEL_BYTES);
    srv.port = q.clientPort;
    builder.addSrv(Section.ADDITIONAL, service, TTL, srv);
  }

  return { serve: (q) => q.replyRecords(Rcode.NOERROR, fill, AUTHORITATIVE) };
}

/** `peer` is a socket address; an IPv4 address mapped into IPv6 counts as IPv4. */
function addAddress(builder: MessageBuilder, qname: Uint8Array, peer: Uint8Array): void {
  const at = addressOffset(peer);
  if (familyOf(peer) === 4) {
    builder.addA(Section.ADDITIONAL, qname, TTL, peer.subarray(at, at + 4));
  } else {
    builder.addAaaa(Section.ADDITIONAL, qname, TTL, peer.subarray(at, at + 16));
  }
}
