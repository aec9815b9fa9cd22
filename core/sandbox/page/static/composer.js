// The input line and the menu of commands.

import { element } from "./entities.js";

const form = document.querySelector(".composer");
const text = document.querySelector("#text");
const menu = document.querySelector("#menu");
const opener = document.querySelector(".open-menu");
const sender = document.querySelector(".send");

export class Composer {
  #send;
  #commands = [];
  #chosen = 0;

  constructor(send) {
    this.#send = send;
    form.addEventListener("submit", (event) => { event.preventDefault(); this.#submit(); });
    text.addEventListener("input", () => this.#follow());
    text.addEventListener("keydown", (event) => this.#key(event));
    opener.addEventListener("click", () => (menu.hidden ? this.#open(this.#commands) : this.#close()));
    document.addEventListener("click", (event) => { if (!form.contains(event.target)) this.#close(); });
    form.addEventListener("keydown", (event) => { if (event.key === "Escape") { this.#close(); text.focus(); } });
  }

  setCommands(commands) {
    this.#commands = commands;
    if (menu.hidden) return;
    if (text.value) this.#follow();
    else this.#open(commands);
  }

  // The words stay in the box until they were taken; meanwhile they are neither changed nor sent again.
  async #submit() {
    const wanted = text.value.trim();
    if (!wanted || text.readOnly) return;
    this.#close();
    text.readOnly = true;
    try { if (await this.#send(wanted)) text.value = ""; } finally { text.readOnly = false; }
    sender.disabled = text.value === "";
  }

  #follow() {
    sender.disabled = text.value.trim() === "";
    const typed = /^\/(\w*)$/.exec(text.value);
    if (!typed) return this.#close();
    const start = typed[1].toLowerCase();
    const found = this.#commands.filter((command) => command.command.startsWith(start));
    if (found.length || !start) this.#open(found, start);
    else this.#close();
  }

  #key(event) {
    const options = menu.hidden ? [] : [...menu.querySelectorAll("[role=option]")];
    if (options.length && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      this.#choose(options, this.#chosen + (event.key === "ArrowDown" ? 1 : -1));
    } else if (options.length && event.key === "Tab") {
      event.preventDefault();
      this.#fill(options[this.#chosen].dataset.command);
    } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      if (options.length) { text.value = `/${options[this.#chosen].dataset.command}`; this.#close(); }
      this.#submit();
    }
  }

  #open(commands, typed = "") {
    if (text.readOnly) return;
    const options = commands.map((command, index) => element("li",
      { role: "option", id: `command-${index}`, "data-command": command.command, onclick: () => { text.value = `/${command.command}`; this.#close(); this.#submit(); text.focus(); } },
      element("b", {}, `/${command.command}`), element("span", {}, command.description)));
    menu.replaceChildren(...(options.length ? options : [element("li", { class: "none" }, "The desk has not published its commands yet.")]));
    menu.hidden = false;
    opener.setAttribute("aria-expanded", "true");
    // Enter sends the chosen row: of "/killswitch" and "/kill" the one that was typed.
    if (options.length) this.#choose(options, Math.max(0, commands.findIndex((command) => command.command === typed)));
    if (document.activeElement !== text) text.focus();
  }

  #choose(options, index) {
    this.#chosen = (index + options.length) % options.length;
    options.forEach((option, position) => option.setAttribute("aria-selected", String(position === this.#chosen)));
    options[this.#chosen].scrollIntoView({ block: "nearest" });
    text.setAttribute("aria-activedescendant", options[this.#chosen].id);
  }

  #fill(command) {
    text.value = `/${command} `;
    this.#follow();
  }

  #close() {
    menu.hidden = true;
    opener.setAttribute("aria-expanded", "false");
    text.removeAttribute("aria-activedescendant");
  }
}
