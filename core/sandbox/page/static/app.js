// Wire the page together: news from the server in, the operator's taps and words out.

import { post } from "./calls.js";
import { setClock } from "./clock.js";
import { Composer } from "./composer.js";
import { Log } from "./log.js";
import { Panel } from "./panel.js";

const presence = document.querySelector(".presence");
const toast = document.querySelector(".toast");
const dialog = document.querySelector("dialog.alert");
const TAP_PATIENCE = 15000;
const waiting = new Map(); // query id → its button
let toastEnd = 0, typingEnd = 0, listening = false;

function say(text, link) {
  toast.replaceChildren(text, ...(link ? [" ", link] : []));
  toast.hidden = false;
  clearTimeout(toastEnd);
  toastEnd = setTimeout(() => { toast.hidden = true; }, link ? 8000 : 4000);
}

toast.addEventListener("click", () => { toast.hidden = true; });

// Whether it was taken.
async function send(text) {
  try { await post("/chat/messages", { text }); } catch (error) { say(error.message); return false; }
  return true;
}

async function tap(message, button, key) {
  if (key.getAttribute("aria-busy") === "true") return;
  key.setAttribute("aria-busy", "true");
  try {
    const { query_id: id } = await post("/chat/taps", { message_id: message.message_id, data: button.callback_data });
    if (answered.delete(id)) return rest(key);
    waiting.set(id, key);
    setTimeout(() => { if (waiting.delete(id)) { rest(key); say("No answer yet. The tap is on its way to the desk."); } }, TAP_PATIENCE);
  } catch (error) {
    rest(key);
    say(error.message);
  }
}

const answered = new Set(); // answers that overtook the reply to their own tap
const rest = (key) => key.removeAttribute("aria-busy");

function rememberAnswer(id) {
  answered.add(id);
  setTimeout(() => answered.delete(id), TAP_PATIENCE);
}

function takeAnswer(answer) {
  const key = waiting.get(answer.query_id);
  if (key) { waiting.delete(answer.query_id); rest(key); } else rememberAnswer(answer.query_id);
  if (!answer.text) return;
  if (!answer.show_alert) return say(answer.text);
  dialog.querySelector("p").textContent = answer.text;
  if (!dialog.open) dialog.showModal();
}

function showPresence(text = listening ? "at the desk" : "not at the desk") {
  presence.textContent = text;
  presence.classList.toggle("on", listening);
}

function showTyping() {
  showPresence("typing…");
  clearTimeout(typingEnd);
  typingEnd = setTimeout(() => showPresence(), 5000);
}

const log = new Log({ tap, send, say });
const composer = new Composer(send);
const panel = new Panel(say, () => log.endWelcome());

const on = {
  hello(state) {
    log.reset(state.messages);
    composer.setCommands(state.commands);
    on.surroundings(state);
    panel.load().catch((error) => say(error.message));
  },
  surroundings(state) { listening = state.listening; showPresence(); setClock(state.now); },
  message(message) { if (message.from?.is_bot) showPresence(); log.add(message); panel.refreshBook(); },
  edit(message) { log.edit(message); panel.refreshBook(); },
  delete(gone) { log.remove(gone.message_id); },
  delivered(message) { log.markDelivered(message.message_id); },
  answer: takeAnswer,
  action: showTyping,
  commands(commands) { composer.setCommands(commands); },
};

const news = new EventSource("/chat/events");
for (const [kind, take] of Object.entries(on)) news.addEventListener(kind, (event) => take(JSON.parse(event.data)));
news.addEventListener("error", () => { listening = false; showPresence("reconnecting…"); });
