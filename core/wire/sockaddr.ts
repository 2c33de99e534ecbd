export function addressText(_a: Uint8Array): string {
  return '';
}
export function portOf(_a: Uint8Array): number {
  return 0;
}
