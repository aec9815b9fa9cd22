// The conversation: keeps the bubbles in order, scrolls, and counts what was not seen yet.

import { drawMessage } from "./bubbles.js";
import { dayOf } from "./clock.js";
import { element } from "./entities.js";

const log = document.querySelector("#log");
const list = document.querySelector(".messages");
const welcome = document.querySelector(".welcome");
const pill = document.querySelector(".pill");
const NEAR = 80;

export class Log {
  #actions;
  #messages = new Map();
  #unread = 0;
  #atEnd = true;
  #top = 0;

  constructor(actions) {
    this.#actions = actions;
    log.addEventListener("scroll", () => this.#followScroll(), { passive: true });
    pill.addEventListener("click", () => this.#scrollToEnd("smooth"));
    document.addEventListener("visibilitychange", () => this.#see());
    // Pictures, the keyboard of a phone and a resized window must not push the newest message out of sight.
    const keepEnd = new ResizeObserver(() => { if (this.#atEnd) this.#scrollToEnd("instant"); });
    keepEnd.observe(list);
    keepEnd.observe(log);
  }

  /** Draw everything anew, as after a reconnect. */
  reset(messages) {
    const fresh = this.#messages.size > 0 ? messages.filter((message) => !this.#messages.has(message.message_id)).length : 0;
    log.setAttribute("aria-live", "off");
    this.#messages = new Map(messages.map((message) => [message.message_id, message]));
    list.replaceChildren();
    for (const message of messages) this.#append(message, false);
    welcome.hidden = !this.#isUntouched();
    this.#noteUnread(fresh);
    if (this.#atEnd) this.#scrollToEnd("instant");
    setTimeout(() => log.setAttribute("aria-live", "polite"), 300);
  }

  add(message) {
    this.#messages.set(message.message_id, message);
    if (!this.#isUntouched()) this.endWelcome();
    const mine = !message.from?.is_bot;
    if (!mine && !this.#isWatched() && this.#unread === 0) this.#markFresh();
    this.#append(message, true);
    if (mine) this.#scrollToEnd("smooth");
    else if (this.#atEnd) this.#scrollToEnd("smooth");
    if (!mine) this.#noteUnread(1);
  }

  edit(message) {
    const before = this.#messages.get(message.message_id);
    const old = this.#find(message.message_id);
    if (!old) return;
    this.#messages.set(message.message_id, message);
    const focused = old.contains(document.activeElement) ? document.activeElement.textContent : null;
    const drawn = this.#draw(message);
    drawn.classList.toggle("follows", old.classList.contains("follows"));
    old.replaceWith(drawn);
    if (before?.edits !== message.edits) drawn.querySelector(".bubble").classList.add("edited-now");
    if (focused !== null) ([...drawn.querySelectorAll(".key")].find((key) => key.textContent === focused) ?? log).focus({ preventScroll: true });
  }

  remove(id) {
    this.#find(id)?.remove();
    this.#messages.delete(id);
  }

  endWelcome() { welcome.hidden = true; }

  // The desk's own greeting is no conversation yet: a newcomer still needs to be told what to do.
  #isUntouched() {
    const begun = (message) => !message.from?.is_bot || message.reply_markup || message.edits > 0;
    return this.#messages.size <= 2 && ![...this.#messages.values()].some(begun);
  }

  markDelivered(id) {
    this.#find(id)?.classList.add("delivered");
  }

  #append(message, moving) {
    const last = list.querySelector(".message:last-of-type");
    const before = last && this.#messages.get(Number(last.dataset.messageId));
    if (!before || dayOf(before.date) !== dayOf(message.date)) list.append(element("div", { class: "day" }, dayOf(message.date)));
    const drawn = this.#draw(message);
    const follows = before && list.lastElementChild === last && before.from?.id === message.from?.id;
    drawn.classList.toggle("follows", Boolean(follows));
    drawn.classList.toggle("new", moving);
    list.append(drawn);
  }

  // Only a person scrolls up; on its own way down to the end the log is at the end already.
  #followScroll() {
    if (this.#isNearEnd()) this.#atEnd = true;
    else if (log.scrollTop < this.#top) this.#atEnd = false;
    this.#top = log.scrollTop;
    this.#see();
  }

  #draw(message) { return drawMessage(message, this.#actions); }
  #find(id) { return list.querySelector(`[data-message-id="${id}"]`); }
  #isNearEnd() { return log.scrollHeight - log.scrollTop - log.clientHeight < NEAR; }
  #isWatched() { return this.#atEnd && !document.hidden; }
  #scrollToEnd(behavior) { this.#atEnd = true; log.scrollTo({ top: log.scrollHeight, behavior }); this.#see(); }

  #markFresh() {
    list.querySelector(".fresh")?.remove();
    list.append(element("div", { class: "fresh", "data-testid": "unread-mark" }, "New"));
  }

  #noteUnread(count) {
    this.#unread += count;
    this.#see();
  }

  #see() {
    if (this.#isWatched()) this.#unread = 0;
    pill.hidden = this.#atEnd;
    pill.textContent = this.#unread ? `${this.#unread} new message${this.#unread === 1 ? "" : "s"} ↓` : "Newest ↓";
    document.title = this.#unread ? `(${this.#unread}) Munshi` : "Munshi";
  }
}
