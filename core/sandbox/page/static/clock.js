// The desk's clock: India time, ticking on from what the server said last.

const INDIA = "Asia/Kolkata";
const TIME = new Intl.DateTimeFormat("en-GB", { timeZone: INDIA, hour: "2-digit", minute: "2-digit", second: "2-digit" });
const SHORT = new Intl.DateTimeFormat("en-GB", { timeZone: INDIA, hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { timeZone: INDIA, weekday: "short", day: "numeric", month: "short" });
const LONG_DAY = new Intl.DateTimeFormat("en-GB", { timeZone: INDIA, weekday: "long", day: "numeric", month: "long" });

const face = document.querySelector(".clock");
let ahead = 0; // how far the desk's clock is from performance.now(), in milliseconds

export const timeOf = (seconds) => SHORT.format(seconds * 1000);
export const dayOf = (seconds) => LONG_DAY.format(seconds * 1000);

export function setClock(iso) {
  const before = ahead;
  ahead = Date.parse(iso) - performance.now();
  if (before !== 0 && Math.abs(before - ahead) > 2000) {
    face.classList.remove("moved");
    void face.offsetWidth; // restart the animation
    face.classList.add("moved");
  }
  tick();
}

function tick() {
  if (ahead === 0) return;
  const now = new Date(performance.now() + ahead);
  face.querySelector(".clock-time").textContent = TIME.format(now);
  face.querySelector(".clock-time").dateTime = now.toISOString();
  face.querySelector(".clock-day").textContent = DAY.format(now).replace(",", "") + " · IST";
}

setInterval(tick, 250);
