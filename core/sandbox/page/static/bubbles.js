// One message as a bubble with its keyboard.

import { timeOf } from "./clock.js";
import { draw, element } from "./entities.js";

/** `actions` has tap(message, button, key), send(text) and say(text). */
export function drawMessage(message, actions) {
  const mine = !message.from?.is_bot;
  const rows = message.reply_markup?.inline_keyboard ?? [];
  const classes = ["message", mine && "mine", rows.length && "has-buttons", message.delivered && "delivered"];
  return element("article",
    { class: classes.filter(Boolean).join(" "), "data-message-id": message.message_id, "data-testid": "message",
      "data-from": mine ? "operator" : "bot", "aria-label": mine ? "You" : "Munshi" },
    element("div", { class: "bubble" },
      reply(message), picture(message), file(message), body(message, actions), meta(message, mine)),
    rows.length ? keyboard(message, rows, actions) : null);
}

function body(message, actions) {
  const text = message.text ?? message.caption;
  if (!text) return null;
  return element("div", { class: "body", "data-testid": "text" }, draw(text, message.entities ?? message.caption_entities, actions.send));
}

function meta(message, mine) {
  const edited = message.edits > 0 ? element("span", { class: "edited" }, "edited") : null;
  const time = element("time", { datetime: new Date(message.date * 1000).toISOString() }, timeOf(message.date));
  return element("div", { class: "meta" }, edited, time, mine ? ticks() : null);
}

function ticks() {
  const drawn = element("span", { class: "ticks", title: "One tick: sent. Two: the desk has it." });
  const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  picture.setAttribute("viewBox", "0 0 15 11");
  picture.setAttribute("aria-hidden", "true");
  for (const [path, name] of [["m1 6 3 3 6-7", "first"], ["m7.5 9 .3 0 6-7", "second"]]) {
    const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
    line.setAttribute("d", path);
    line.setAttribute("class", name);
    picture.append(line);
  }
  drawn.append(picture);
  return drawn;
}

function reply(message) {
  const quoted = message.reply_to_message;
  if (!quoted) return null;
  return element("div", { class: "reply" }, (quoted.text ?? quoted.caption ?? "A file").split("\n")[0]);
}

function picture(message) {
  const photo = message.photo?.at(-1);
  if (!photo) return null;
  const source = `/chat/files/${photo.file_id}`;
  return element("a", { class: "picture", href: source, target: "_blank", rel: "noopener" },
    element("img", { src: source, width: photo.width, height: photo.height, alt: message.caption ?? "Picture from Munshi" }));
}

function file(message) {
  const sent = message.document;
  if (!sent) return null;
  const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  icon.setAttribute("viewBox", "0 0 24 24");
  icon.setAttribute("aria-hidden", "true");
  const arrow = document.createElementNS("http://www.w3.org/2000/svg", "path");
  arrow.setAttribute("d", "M12 4v11m-5-5 5 5 5-5M5 20h14");
  icon.append(arrow);
  return element("a", { class: "file", href: `/chat/files/${sent.file_id}`, download: sent.file_name, "aria-label": `Download ${sent.file_name}` },
    icon, element("span", {}, element("strong", {}, sent.file_name), element("small", {}, size(sent.file_size))));
}

function size(bytes) {
  return bytes < 1024 ? `${bytes} bytes` : bytes < 1048576 ? `${Math.round(bytes / 1024)} KB` : `${(bytes / 1048576).toFixed(1)} MB`;
}

function keyboard(message, rows, actions) {
  return element("div", { class: "buttons" }, ...rows.map((row) => element("div", {}, ...row.map((button) => key(message, button, actions)))));
}

function key(message, button, actions) {
  const look = `key ${button.style ?? ""}`.trim();
  if (button.url) return element("a", { class: look, href: button.url, target: "_blank", rel: "noopener noreferrer" }, `${button.text} ↗`);
  const drawn = element("button", { class: look, type: "button" }, button.text);
  drawn.addEventListener("click", () => {
    if (button.copy_text) navigator.clipboard?.writeText(button.copy_text.text).then(() => actions.say("Copied"));
    else actions.tap(message, button, drawn);
  });
  return drawn;
}
