// Content types by file name, for browsers. What could run as a program in the gateway's origin (HTML, SVG, XML, scripts)
// is plain text or bytes here: an archived file is somebody else's, and the browser holds a login.

const text = "text/plain; charset=utf-8";
export const bytesType = "application/octet-stream";

const byExtension: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    (
      "txt log md csv tsv json xml html htm css js mjs ts c h cc cpp hpp rs go py rb pl sh conf cfg ini toml " +
      "yaml yml sql diff patch tex srt vtt"
    )
      .split(" ")
      .map((extension) => [extension, text]),
  ),
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  avif: "image/avif",
  bmp: "image/bmp",
  ico: "image/x-icon",
  tif: "image/tiff",
  tiff: "image/tiff",
  mp3: "audio/mpeg",
  m4a: "audio/mp4",
  ogg: "audio/ogg",
  opus: "audio/ogg",
  flac: "audio/flac",
  wav: "audio/wav",
  mp4: "video/mp4",
  m4v: "video/mp4",
  webm: "video/webm",
  mov: "video/quicktime",
  mkv: "video/x-matroska",
  pdf: "application/pdf",
  zip: "application/zip",
  gz: "application/gzip",
  tar: "application/x-tar",
};

/** The content type of a file that is called so. */
export function mediaType(name: Uint8Array): string {
  const written = Buffer.from(name).toString("latin1");
  const extension = /[^.]\.([A-Za-z0-9]{1,8})$/.exec(written)?.[1]?.toLowerCase();
  if (extension === undefined || !Object.hasOwn(byExtension, extension)) return bytesType;
  return byExtension[extension] as string;
}
