// The demo site's own script: who is visiting, and what they do. What they see is personalize.js' business.
"use strict";

const { writeKey } = document.body.dataset;
const chooser = document.getElementById("visitor");
const subject = document.querySelector("[data-event]");

function newVisitor() {
  let id = localStorage.getItem("sandbox-new-visitor");
  if (!id) {
    id = uuid();
    localStorage.setItem("sandbox-new-visitor", id);
  }
  return id;
}

// crypto.randomUUID exists on localhost and https only; a sandbox may be looked at from another machine.
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

const VISITORS = {
  ada: () => ({ user_id: "ada" }),
  reader: () => ({ anonymous_id: "5e0f0c5a-8d3c-4c57-9f0e-0d2f5b6a7c11" }),
  new: () => ({ anonymous_id: newVisitor() }),
  nobody: () => ({ user_id: "nobody" }),
};

function visitor() {
  return VISITORS[chooser.value]();
}

async function track(event, properties) {
  const { user_id: userId, anonymous_id: anonymousId } = visitor();
  await fetch("/v1/track", {
    method: "POST",
    keepalive: true,
    headers: { "Content-Type": "application/json", Authorization: "Basic " + btoa(writeKey + ":") },
    body: JSON.stringify({ userId, anonymousId, messageId: uuid(), event, properties }),
  });
}

// What the page is about is tracked first, so that the answer can know of it. A failure only costs the event.
async function visit() {
  if (!subject) return;
  await track(subject.dataset.event, JSON.parse(subject.dataset.properties)).catch(() => {});
  showNews();
}

// The service reads events again after a second.
function showNews() {
  setTimeout(() => personalize.refresh?.(), 1200);
}

// The back end vouches for Ada, as it would for anybody who has logged in.
async function token() {
  if (chooser.value !== "ada") return "";
  const answer = await fetch("/login/token");
  return answer.ok ? answer.text() : "";
}

async function buy() {
  const product = JSON.parse(subject.dataset.properties);
  await track("Order Completed", { order_id: uuid(), total: product.price, products: [{ ...product, quantity: 1 }] });
  document.getElementById("bought").textContent = "Thank you! It is on its way.";
  personalize.refresh?.();
  showNews();
}

// A box says whether what it shows is this visitor's own.
function say(box, title, badge, personal) {
  const heading = box.querySelector("[data-title]");
  heading.dataset.usual ??= heading.textContent;
  heading.textContent = title || heading.dataset.usual;
  box.querySelector(".badge").textContent = badge;
  box.querySelector(".badge").classList.toggle("personal", personal);
}

document.addEventListener("personalize:ready", ({ target, detail: { data, personalized, degraded } }) => {
  const box = target.closest(".box");
  const own = personalized && data.length > 0;
  const heading = box.querySelector("[data-title]");
  const topic = heading.dataset.field === "category" ? ` ${data[0]?.categories?.[0] ?? "what you like"}` : "";
  say(box, own && heading.dataset.title + topic, own ? "for you" : degraded ? "for everybody, for now" : "for everybody", own);
});
document.addEventListener("personalize:error", ({ target }) => say(target.closest(".box"), "", "for everybody", false));

chooser.value = localStorage.getItem("sandbox-visitor") ?? "ada";
if (!(chooser.value in VISITORS)) chooser.value = "ada";
let tracked = visit();
chooser.addEventListener("change", () => {
  localStorage.setItem("sandbox-visitor", chooser.value);
  tracked = visit();
  personalize.refresh?.();
});
document.getElementById("buy")?.addEventListener("click", buy);

window.analytics = { track: (event, properties) => track(event, properties).catch(() => {}) };
window.personalize = { token, visitor: async () => (await tracked, visitor()) };
