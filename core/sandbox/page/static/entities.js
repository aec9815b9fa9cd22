// Draw Telegram's text and entities as elements. Offsets are UTF-16 units, as in JavaScript's strings.

const TAGS = { bold: "b", italic: "i", underline: "u", strikethrough: "s", code: "code", pre: "pre",
  blockquote: "blockquote", expandable_blockquote: "blockquote" };
const BLOCKS = new Set(["pre", "blockquote", "expandable_blockquote"]);

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** `onCommand(text)` runs when a /command in the text is pressed. */
export function draw(text, entities, onCommand) {
  const ordered = [...(entities ?? [])].sort((a, b) => a.offset - b.offset || b.length - a.length);
  return drawRange(text, ordered, 0, text.length, onCommand);
}

function drawRange(text, entities, start, end, onCommand) {
  const drawn = document.createDocumentFragment();
  let at = start, afterBlock = false;
  for (let i = 0; i < entities.length; i++) {
    const entity = entities[i];
    if (entity.offset < at || entity.offset >= end) continue;
    const close = Math.min(entity.offset + entity.length, end);
    const block = BLOCKS.has(entity.type);
    drawn.append(plain(text.slice(at, entity.offset), afterBlock, block));
    const inside = entities.slice(i + 1).filter((other) => other.offset < close);
    const slice = text.slice(entity.offset, close);
    drawn.append(wrap(entity, slice, drawRange(text, inside, entity.offset, close, onCommand), onCommand));
    at = close;
    afterBlock = block;
  }
  drawn.append(plain(text.slice(at, end), afterBlock, false));
  return drawn;
}

// Status marks are drawn as calm dots: they look the same on every machine, also on one without an emoji font.
const DOTS = { "🟢": "good", "🔴": "bad", "🟡": "warn", "🟠": "warn", "🔵": "busy", "⚪": "idle" };

function withDots(text) {
  const drawn = document.createDocumentFragment();
  for (const part of text.split(/(🟢|🔴|🟡|🟠|🔵|⚪)/u)) drawn.append(DOTS[part] ? element("span", { class: `dot ${DOTS[part]}` }, part) : part);
  return drawn;
}

// A block already breaks the line, so the line ends next to it would show as empty lines.
function plain(text, afterBlock, beforeBlock) {
  if (afterBlock) text = text.replace(/^\n/, "");
  if (beforeBlock) text = text.replace(/\n$/, "");
  return withDots(text);
}

function wrap(entity, slice, inner, onCommand) {
  switch (entity.type) {
    case "text_link": return link(entity.url, inner);
    case "url": return link(slice, inner);
    case "bot_command": return element("button", { type: "button", class: "command", onclick: () => onCommand(slice) }, inner);
    case "spoiler": return spoiler(inner);
    case "code": return copyable(slice, inner);
    case "expandable_blockquote": return foldable(inner);
    default: return TAGS[entity.type] ? element(TAGS[entity.type], {}, inner) : inner;
  }
}

function link(url, inner) {
  const safe = /^(https?|tg):\/\//i.test(url) ? url : undefined;
  return element("a", { href: safe, target: "_blank", rel: "noopener noreferrer" }, inner);
}

function spoiler(inner) {
  const hidden = element("button", { type: "button", class: "spoiler", "aria-label": "Hidden text, press to show" }, inner);
  hidden.addEventListener("click", () => { hidden.classList.add("shown"); hidden.removeAttribute("aria-label"); });
  return hidden;
}

function copyable(slice, inner) {
  return element("code", { title: "Copy", onclick: () => navigator.clipboard?.writeText(slice) }, inner);
}

function foldable(inner) {
  const quote = element("blockquote", { class: "folded", tabindex: "0", role: "button", "aria-expanded": "false" }, inner);
  const turn = () => quote.setAttribute("aria-expanded", String(!quote.classList.toggle("folded")));
  quote.addEventListener("click", turn);
  quote.addEventListener("keydown", (event) => { if (event.key === "Enter") turn(); });
  return quote;
}
