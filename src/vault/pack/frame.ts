import { DOMAIN_BODY, type Sealer } from '../crypto/sealer.ts';

export const FRAME_KINDS = { data: 0, page: 1 } as const;
export type FrameKind = keyof typeof FRAME_KINDS;

/** What a frame is bound to, besides its bytes (FORMAT.md, E2). */
export interface FrameBinding {
  family: Uint8Array;
  salt: Uint8Array;
  ordinal: number;
  kind: number;
  codec: number;
  rawLength: number;
  id: Uint8Array;
}

const LABEL = new TextEncoder().encode('vhdvault/frame/1');

function associated({ family, salt, ordinal, kind, codec, rawLength, id }: FrameBinding): Uint8Array {
  const bytes = new Uint8Array(LABEL.byteLength + 16 + 32 + 4 + 1 + 1 + 4 + 32);
  bytes.set(LABEL, 0);
  bytes.set(family, 16);
  bytes.set(salt, 32);
  const view = new DataView(bytes.buffer);
  view.setUint32(64, ordinal, true);
  view.setUint8(68, kind);
  view.setUint8(69, codec);
  view.setUint32(70, rawLength, true);
  bytes.set(id, 74);
  return bytes;
}

export function sealFrame(sealer: Sealer, binding: FrameBinding, payload: Uint8Array): Uint8Array[] {
  return sealer.seal(DOMAIN_BODY, binding.ordinal, associated(binding), payload);
}

/** Sealed frame -> payload, or undefined when it is not authentic or stood elsewhere. */
export function unsealFrame(sealer: Sealer, binding: FrameBinding, sealed: Uint8Array): Uint8Array | undefined {
  return sealer.unseal(DOMAIN_BODY, binding.ordinal, associated(binding), sealed);
}
