// What a value parser throws. It knows what is wanted, never where: positions are added by the syntax that called it.
import type { Token } from './model.js';

/** How the message begins: with the token in quotes, with the value's label and bare text, or as a sentence of its own. */
type Subject = 'quoted' | 'labelled' | 'none';

/**
 * A value that is refused. The message becomes `"TEXT" PROBLEM, WANT`: `new ValueError('want IP[:PORT]', 'is not an IP address')`
 * reads `"1.1.1.300" is not an IP address, want IP[:PORT]`.
 */
export class ValueError extends Error {
  readonly want: string;
  readonly problem: string;
  readonly subject: Subject;
  /** The offending token where it is not the one the parser was called for. */
  readonly token: Token | undefined;

  constructor(
    want: string,
    problem = 'is not accepted',
    token?: Token,
    subject: Subject = 'quoted',
  ) {
    super(want === '' ? problem : `${problem}, ${want}`);
    this.want = want;
    this.problem = problem;
    this.token = token;
    this.subject = subject;
  }

  /** A number or duration outside its limits: `TTL 0 is out of range, want 1 or more`. */
  static outOfRange(want: string, token?: Token): ValueError {
    return new ValueError(want, 'is out of range', token, 'labelled');
  }

  /** A message that is a sentence already: `paths are not allowed here`. */
  static whole(message: string, token?: Token): ValueError {
    return new ValueError('', message, token, 'none');
  }
}
