/* Reads a poster with the camera, or from a photograph. What it finds is a token; no link is ever followed. */

const PAUSE_MS = 150;
const WIDTH_MAX = 960; // px: enough for a code that fills a third of the picture, little enough for a cheap phone
const PHOTO_MAX = 1600;
const LINK = /(?:^|\/q\/)(v1\.[\w.~-]{90,400})$/;

/** Return the token of a poster's link, whatever server it names; empty if it is none of ours. */
export function tokenOf(text) {
  return LINK.exec(text)?.[1] ?? "";
}

/**
 * Open the camera and look until a code is found.
 *
 * Returns a function that closes the camera. `found` gets the code's text, at most one every pause.
 */
export async function look(video, found) {
  const stream = await navigator.mediaDevices.getUserMedia({
    audio: false,
    video: { facingMode: { ideal: "environment" }, width: { ideal: 1280 } },
  });
  let open = true;
  const close = () => {
    open = false;
    stream.getTracks().forEach((track) => track.stop());
    video.srcObject = null;
  };
  try {
    const [read] = await Promise.all([reader(), play(video, stream)]);
    watch(video, read, found, () => open);
  } catch (error) {
    close();
    throw error;
  }
  return close;
}

/** Return the text of the code in a photograph; empty if there is none. */
export async function readPhoto(file) {
  const [read, picture] = await Promise.all([reader(), createImageBitmap(file)]);
  const canvas = document.createElement("canvas");
  for (const widest of [WIDTH_MAX, PHOTO_MAX]) {
    draw(canvas, picture, picture.width, picture.height, widest);
    const text = await read(canvas);
    if (text) return text;
  }
  return "";
}

async function watch(video, read, found, isOpen) {
  const canvas = document.createElement("canvas");
  while (isOpen()) {
    if (video.videoWidth) {
      draw(canvas, video, video.videoWidth, video.videoHeight, WIDTH_MAX);
      const text = await read(canvas);
      if (text && isOpen()) found(text);
    }
    await new Promise((next) => setTimeout(next, PAUSE_MS));
  }
}

async function reader() {
  const detector = new (await detectorHere())({ formats: ["qr_code"] });
  return async (canvas) => {
    const codes = await detector.detect(canvas).catch(() => []);
    return codes.map((code) => code.rawValue).find(tokenOf) ?? codes[0]?.rawValue ?? "";
  };
}

/** Return the phone's own reader, else the one that lies beside this file, which is only then loaded. */
async function detectorHere() {
  const own = await globalThis.BarcodeDetector?.getSupportedFormats().catch(() => []);
  return own?.includes("qr_code") ? globalThis.BarcodeDetector : (await import("/static/qr.min.js")).BarcodeDetector;
}

async function play(video, stream) {
  video.srcObject = stream;
  await video.play();
}

function draw(canvas, picture, width, height, widest) {
  const scale = Math.min(1, widest / Math.max(width, height));
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.getContext("2d", { willReadFrequently: true }).drawImage(picture, 0, 0, canvas.width, canvas.height);
}
