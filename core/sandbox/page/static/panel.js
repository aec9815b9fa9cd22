// The panel: fire alerts, move the clock, look into the broker's book.

import { get, post } from "./calls.js";
import { setClock } from "./clock.js";
import { element } from "./entities.js";

const panel = document.querySelector("#panel");
const chat = document.querySelector("#chat");
const scrim = document.querySelector(".scrim");
const opener = document.querySelector(".open-panel");
const answers = document.querySelector(".answers");
const problem = document.querySelector(".problem");
const PHONE = window.matchMedia("(max-width: 899px)");
const REFRESH = 2000;

export class Panel {
  #say;
  #onFired;
  #state = {};

  constructor(say, onFired) {
    this.#say = say;
    this.#onFired = onFired;
    opener.addEventListener("click", () => this.#open());
    for (const closer of [scrim, document.querySelector(".close-panel")]) closer.addEventListener("click", () => this.#close());
    panel.addEventListener("keydown", (event) => { if (event.key === "Escape") this.#close(); });
    PHONE.addEventListener("change", () => this.#close());
    document.querySelector("[data-sample=buy]").addEventListener("click", (event) => this.#fire({ sample: "buy" }, event.currentTarget));
    this.#bindForms();
    this.#bindCopies();
    setInterval(() => { if (!document.hidden) this.refreshBook(); }, REFRESH);
  }

  async load() {
    this.#state = await get("/panel/state");
    document.querySelector(".samples").replaceChildren(...this.#state.samples.map((sample) => this.#sample(sample)));
    document.querySelector(".chips").replaceChildren(...[...this.#state.jumps, "Real time"].map((to) =>
      element("button", { class: "chip", type: "button", onclick: () => this.#jump(to) }, to)));
    this.#showAddresses();
    for (const link of document.querySelectorAll("[data-link]")) link.href = this.#state.links[link.dataset.link];
    await this.refreshBook();
  }

  async refreshBook() {
    const book = document.querySelector(".book");
    const orders = await get("/dhan/sandbox/orders").then((answer) => answer.orders ?? answer).catch(() => null);
    if (orders === null) return;
    const lines = orders.map(line).reverse();
    book.replaceChildren(...(lines.length ? lines : [element("li", { class: "none" }, "No orders yet.")]));
  }

  #showAddresses() {
    document.querySelector("[data-testid=webhook-url]").textContent = this.#state.webhook_url;
    document.querySelector("[data-testid=curl]").textContent = this.#state.curl;
  }

  #sample(sample) {
    const drawn = element("button", { class: "sample", type: "button", "data-sample": sample.id, "aria-label": `${sample.title}, ${sample.detail}` },
      element("span", {}, element("strong", {}, sample.title), element("small", {}, sample.detail)), element("i", { "aria-hidden": "true" }, "→"));
    drawn.addEventListener("click", () => this.#fire({ sample: sample.id }, drawn));
    return drawn;
  }

  async #fire(wish, button) {
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    try {
      const { deliveries } = await post("/panel/alerts", wish);
      if (deliveries.some((delivery) => delivery.http_status)) this.#onFired();
      this.#show(deliveries);
    } catch (error) {
      this.#show([{ words: error.message, answer: {}, http_status: null }]);
    } finally {
      button.removeAttribute("aria-busy");
      this.refreshBook();
    }
  }

  #show(deliveries) {
    answers.replaceChildren(...deliveries.map(answer));
    if (!PHONE.matches) return;
    this.#close();
    const last = deliveries.at(-1);
    this.#say(last.words, last.trace && element("a", { href: last.trace, target: "_blank", rel: "noopener" }, "Trace"));
  }

  async #jump(to) {
    problem.textContent = "";
    try {
      setClock((await post("/panel/clock", { to })).now);
    } catch (error) {
      problem.textContent = error.message;
      problem.scrollIntoView({ block: "nearest" });
    }
  }

  #bindForms() {
    const own = document.querySelector(".own-form");
    const price = own.elements.price;
    own.addEventListener("change", () => {
      price.disabled = own.elements.order_type.value === "MKT";
      price.required = !price.disabled;
      price.placeholder = price.disabled ? "at market" : "0.00";
      if (price.disabled) price.value = "";
    });
    own.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#fire({ leg: Object.fromEntries(new FormData(own)) }, own.querySelector(".accent"));
    });
    const jump = document.querySelector(".jump");
    jump.addEventListener("submit", (event) => { event.preventDefault(); this.#jump(jump.elements.to.value); });
  }

  #bindCopies() {
    for (const button of document.querySelectorAll("[data-copy]")) {
      button.addEventListener("click", async () => {
        this.#state = await get("/panel/state"); // an alert carries its time, and a stale one is refused
        this.#showAddresses();
        await navigator.clipboard.writeText(this.#state[button.dataset.copy]);
        button.textContent = "Copied";
        setTimeout(() => { button.textContent = "Copy"; }, 1500);
      });
    }
  }

  #open() {
    panel.classList.add("open");
    scrim.hidden = false;
    chat.inert = true;
    opener.setAttribute("aria-expanded", "true");
    panel.focus();
  }

  #close() {
    if (!panel.classList.contains("open")) return;
    panel.classList.remove("open");
    scrim.hidden = true;
    chat.inert = false;
    opener.setAttribute("aria-expanded", "false");
    opener.focus();
  }
}

function answer(delivery) {
  const said = delivery.answer ?? {};
  const bad = !delivery.http_status || delivery.http_status >= 400;
  const facts = [delivery.http_status && `HTTP ${delivery.http_status}`, said.order_status, said.placement_mode].filter(Boolean);
  return element("article", { class: bad ? "answer bad" : "answer" },
    element("strong", {}, delivery.words),
    said.message ? element("p", {}, said.message) : null,
    element("footer", {}, facts.length ? element("span", {}, facts.join(" · ")) : null,
      delivery.trace ? element("a", { href: delivery.trace, target: "_blank", rel: "noopener" }, "Trace") : null));
}

const RUPEES = new Intl.NumberFormat("en-IN", { style: "currency", currency: "INR" });

function line(order) {
  const traded = order.filledQty ? `${order.filledQty} of ${order.quantity} at ${RUPEES.format(order.averageTradedPrice)}` : "";
  const kind = [order.orderType, order.productType, order.afterMarketOrder && "AMO"].filter(Boolean).join(" · ");
  return element("li", {},
    element("b", {}, `${order.transactionType === "BUY" ? "Buy" : "Sell"} ${order.quantity} ${order.tradingSymbol}`),
    element("span", { class: `state ${order.orderStatus}` }, order.orderStatus),
    element("span", {}, kind), element("span", {}, traded));
}
