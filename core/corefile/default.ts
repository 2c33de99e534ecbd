// What is served when no configuration says otherwise.

/** CoreDNS's built-in Corefile: every name is answered with who asked. */
export function defaultText(port: number): string {
  return `.:${port} {\n  whoami\n  log\n}\n`;
}
