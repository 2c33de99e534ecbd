// The zone that real authoritative servers serve in the tests, plain and signed.
import { readFileSync } from 'node:fs';
import { run } from './child.js';
import { tempFolder } from './temp-folder.js';
import { toolPath } from './tools.js';

export const ZONE = 'example.org';

/** RDATA of the record of a type nobody knows, as hex. */
export const UNKNOWN_RDATA = '00ff80c00c2e5c220a0d';

/** Strings of the TXT record that fits no UDP reply: 30 of 200 bytes. */
const BIG_STRINGS = 30;

const bigText = Array.from({ length: BIG_STRINGS }, (_, i) => `"${String(i % 10).repeat(200)}"`);

export const zoneText = `$ORIGIN ${ZONE}.
$TTL 300
@ SOA ns hostmaster 1 7200 3600 1209600 60
@ NS ns
@ MX 10 mail
@ MX 20 mail.example.net.
ns A 192.0.2.53
mail A 192.0.2.25
www 120 A 192.0.2.1
www 120 A 192.0.2.2
www 60 AAAA 2001:db8::1
text TXT "plain" "with \\"quotes\\" and \\000\\255 bytes"
big TXT ${bigText.join(' ')}
alias CNAME alias2
alias2 CNAME www
outside CNAME www.example.net.
_dns._udp SRV 1 2 53 ns
unknown TYPE65280 \\# ${UNKNOWN_RDATA.length / 2} ${UNKNOWN_RDATA}
\\000\\255odd A 192.0.2.7
*.wild A 192.0.2.8
`;

/** The same zone signed for now with a fresh key. */
export async function signedZoneText(): Promise<string> {
  const folder = tempFolder();
  try {
    const file = folder.write('zone', zoneText);
    const key = await mustRun([toolPath('ldns-keygen'), '-k', '-a', 'ECDSAP256SHA256', ZONE]);
    await mustRun([toolPath('ldns-signzone'), '-f', `${file}.signed`, file, key.trim()]);
    return readFileSync(`${file}.signed`, 'utf8');
  } finally {
    folder.remove();
  }

  async function mustRun(command: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await run(command, { cwd: folder.path });
    if (code !== 0) throw new Error(`${command[0]} failed: ${stderr}`);
    return stdout;
  }
}
