// Pictures of a post: dropped, pasted or chosen; shown small, kept as the bytes of their files. Of a
// clip a few frames stand for it, as the import of posts takes them.

import { $, h, plural } from "./dom.js";

const SIDE = 1024; // pixels of a frame's longer side, at most
const PATIENCE = 20_000; // milliseconds for a frame

export class Pictures {
  /** @param changed is called when what would be sent is another. */
  constructor(changed) {
    this.changed = changed;
    this.items = [];
    this.most = 1; // pictures that the model reads
    this.frames = 4; // of a clip
    $("add-pictures").addEventListener("click", () => $("picture-files").click());
    $("picture-files").addEventListener("change", (event) => {
      this.add(event.target.files);
      event.target.value = "";
    });
    document.addEventListener("paste", (event) => this.add(event.clipboardData.files));
    for (const kind of ["dragover", "dragleave", "drop"]) {
      document.addEventListener(kind, (event) => {
        event.preventDefault();
        $("paper").classList.toggle("over", kind === "dragover");
        if (kind === "drop") this.add(event.dataTransfer.files);
      });
    }
  }

  /** The pictures that are sent, as the REST API takes bytes. */
  get sent() {
    return this.items.slice(0, this.most).map(({ data }) => ({ b64: data }));
  }

  async add(list) {
    const files = [...list]; // the list is emptied meanwhile
    const others = files.filter((file) => !/^(image|video)\//.test(file.type)).length;
    const unread = []; // clips
    const found = await Promise.all(
      files.map((file) => {
        if (file.type.startsWith("image/")) return [file];
        if (!file.type.startsWith("video/")) return [];
        return framesOf(file, this.frames).catch(() => {
          unread.push(`${file.name} cannot be played here: none of its frames is sent.`);
          return [];
        });
      }),
    );
    const items = await Promise.all(
      found.flat().map(async (file) => ({
        name: file.name,
        data: await base64(file),
        url: URL.createObjectURL(file),
        broken: false,
      })),
    );
    this.items.push(...items);
    if (others) unread.push(`${plural(others, "file")} that ${others === 1 ? "is" : "are"} no picture.`);
    this.show(unread.join(" "));
  }

  show(said = "") {
    $("pictures").replaceChildren(...this.items.map((item, place) => this.#shown(item, place)));
    const notes = [said];
    const left = this.items.length - this.most;
    if (this.items.length && !this.most) notes.push("This model reads no pictures: none is sent.");
    else if (left > 0) {
      const others = left === 1 ? "the other is" : `the other ${left} are`;
      const first = this.most === 1 ? "the first is" : `the first ${this.most} are`;
      notes.push(`This model reads ${plural(this.most, "picture")}: ${first} sent, ${others} not.`);
    }
    const broken = this.items.slice(0, this.most).filter((item) => item.broken).length;
    if (broken) {
      const what = this.most > 1 ? plural(broken, "picture") : "It";
      notes.push(`${what} cannot be decoded here; to the model it may be no picture.`);
    }
    $("picture-note").textContent = notes.filter(Boolean).join(" ");
    this.changed();
  }

  #shown(item, place) {
    const used = place < this.most;
    const image = h("img", { src: item.url, alt: item.name, width: 96, height: 96 });
    image.addEventListener("error", () => {
      if (!item.broken) {
        item.broken = true;
        this.show();
      }
    });
    const first = h(
      "button",
      { type: "button", "aria-label": `Use ${item.name}`, onclick: () => this.#first(item) },
      "Use",
    );
    const remove = h(
      "button",
      { type: "button", "aria-label": `Remove ${item.name}`, onclick: () => this.#remove(item) },
      "×",
    );
    return h(
      "li",
      { class: used ? "used" : "unused" },
      item.broken ? h("span", { class: "broken" }, item.name) : image,
      this.most && !used ? first : null,
      remove,
    );
  }

  #first(item) {
    this.items = [item, ...this.items.filter((other) => other !== item)];
    this.show();
    $("pictures").querySelector("button").focus();
  }

  #remove(item) {
    URL.revokeObjectURL(item.url);
    this.items = this.items.filter((other) => other !== item);
    this.show();
    $("add-pictures").focus();
  }
}

/** Frames of a clip, evenly spaced, as JPEG files; rejected where the browser does not play it. */
async function framesOf(file, count) {
  const video = h("video", { preload: "auto" });
  const happens = (name) =>
    new Promise((resolve, reject) => {
      video.addEventListener(name, resolve, { once: true });
      video.addEventListener("error", reject, { once: true });
      setTimeout(reject, PATIENCE);
    });
  const seek = (seconds) => {
    const there = happens("seeked");
    video.currentTime = seconds;
    return there;
  };
  const url = URL.createObjectURL(file);
  try {
    const loaded = happens("loadeddata");
    video.src = url;
    await loaded;
    if (!Number.isFinite(video.duration)) await seek(Number.MAX_SAFE_INTEGER); // as recorders leave it
    const { videoWidth: width, videoHeight: height, duration } = video;
    const scale = Math.min(1, SIDE / Math.max(width, height));
    const canvas = h("canvas", { width: Math.round(width * scale), height: Math.round(height * scale) });
    const frames = [];
    for (let frame = 0; frame < count; frame += 1) {
      await seek(((frame + 0.5) / count) * duration);
      canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
      const drawn = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.9));
      frames.push(new File([drawn], `${file.name}, frame ${frame + 1}`, { type: "image/jpeg" }));
    }
    return frames;
  } finally {
    URL.revokeObjectURL(url);
  }
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
