export function formatName(_wire: Uint8Array, _offset: number): string {
  return '';
}
