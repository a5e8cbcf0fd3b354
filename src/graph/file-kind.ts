/** Beginnings of files that are taken for ONNX models by mistake: bytes (as Latin-1 text) at an offset. */
const MAGIC: ReadonlyArray<readonly [offset: number, magic: string, kind: string]> = [
  [0, '\xff\xd8\xff', 'a JPEG image'],
  [0, '\x89PNG', 'a PNG image'],
  [0, 'GIF8', 'a GIF image'],
  [0, 'RIFF', 'a WebP image or another RIFF file'],
  [0, '%PDF', 'a PDF document'],
  [0, 'PK\x03\x04', 'a ZIP archive (a PyTorch or Keras file?): export it to ONNX, or unpack it'],
  [0, '\x1f\x8b', 'a gzip archive: unpack it'],
  [0, '\x28\xb5\x2f\xfd', 'a Zstandard archive: unpack it'],
  [0, '\xfd7zXZ', 'an xz archive: unpack it'],
  [257, 'ustar', 'a tar archive: unpack it'],
  [0, '\x89HDF', 'an HDF5 file (a Keras model?): export it to ONNX'],
  [0, '\x80\x02', 'a Python pickle (a PyTorch file?): export it to ONNX'],
  [4, 'TFL3', 'a TensorFlow Lite model: convert it to ONNX'],
  [4, 'ORTM', 'a model in ORT format: give the ONNX file it was made from'],
  [0, 'ftrt', 'a TensorRT engine: give the ONNX file it was made from'],
  [0, 'GGUF', 'a GGUF model'],
  [8, '{"', 'a safetensors file: export the model to ONNX'],
  [0, '\x7fELF', 'a program or library'],
  [0, 'version https://git-lfs', 'a Git LFS pointer: fetch the file itself with `git lfs pull`'],
  [0, '\x93NUMPY', 'a NumPy array'],
  [0, 'SQLite format 3', 'an SQLite database'],
];

/** Names what a file is by its first bytes (512 are enough), for the message that it is no ONNX model. */
export function guessFileKind(head: Uint8Array): string | undefined {
  const text = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, 512)).toString('latin1');
  const known = MAGIC.find(([offset, magic]) => text.startsWith(magic, offset));
  if (known !== undefined) return known[2];
  if (/^\0+$/.test(text)) return 'zeros only (an unfinished download or a damaged disk?)';
  if (/^\s*<(!doctype html|html|head|body)/i.test(text))
    return 'an HTML page (the answer of a failed download?)';
  if (/^\s*<\?xml/.test(text)) return 'an XML file';
  if (/^\s*[{[]\s*["{[\]}\d]/.test(text)) return 'a JSON file';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: text is what has none of them
  if (text.length >= 8 && !/[\x00-\x08\x0e-\x1f\x7f-\x9f]/.test(text)) return 'a text file';
  return undefined;
}
