// The demo site's only script: who is visiting, what they do, and what the service answers about them.
"use strict";

const { service, writeKey } = document.body.dataset;
const chooser = document.getElementById("visitor");

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
    headers: { "Content-Type": "application/json", Authorization: "Basic " + btoa(writeKey + ":") },
    body: JSON.stringify({ userId, anonymousId, messageId: uuid(), event, properties }),
  });
}

// Answers may cross when the visitor changes quickly: only the last question of a box may fill it.
const asked = new WeakMap();

async function fill(box) {
  const question = {};
  asked.set(box, question);
  const answer = await ask(box.dataset.recipe);
  if (asked.get(box) === question) show(box, answer);
}

async function ask(recipe) {
  const url = `${service}/api/${recipe}?${new URLSearchParams(visitor())}`;
  try {
    const response = await fetch(url, { cache: "no-cache" });
    if (response.ok) return await response.json();
    if (response.status === 403) return { hint: "This is only for visitors who show who they are. A random anonymous id does: choose another visitor. A user id alone can be guessed." };
    return { hint: `The service answered ${response.status}.` };
  } catch {
    return { hint: `No answer from ${service}. Is the service running, and does it allow this page's origin?` };
  }
}

function show(box, { data = [], personalized, degraded, hint }) {
  const badge = box.querySelector(".badge");
  badge.hidden = hint !== undefined;
  badge.textContent = (personalized ? "personalized" : "not personalized") + (degraded ? ", degraded" : "");
  badge.classList.toggle("personal", personalized === true);
  const text = hint ?? (data.length ? "" : "Nothing yet.");
  box.querySelector(".hint").textContent = text;
  box.querySelector(".hint").hidden = !text;
  box.querySelector(".cards").replaceChildren(...data.map(card));
}

function card(item) {
  const element = document.getElementById("card").content.cloneNode(true);
  element.querySelector("strong").textContent = item.title ?? item.name ?? item.product_id;
  element.querySelector("small").textContent = (item.categories ?? [item.category]).filter(Boolean).join(", ");
  if (isWeb(item.url)) element.querySelector("a").href = item.url;
  if (isWeb(item.image)) {
    element.querySelector("img").src = item.image;
    element.querySelector("img").hidden = false;
  }
  return element;
}

function isWeb(url) {
  return typeof url === "string" && /^https?:\/\//i.test(url);
}

function refresh() {
  document.querySelectorAll("[data-recipe]").forEach(fill);
}

// What the page is about is tracked first, so that the answer can know of it. A failure only costs the event.
async function visit() {
  const subject = document.querySelector("[data-event]");
  if (subject) await track(subject.dataset.event, JSON.parse(subject.dataset.properties)).catch(() => {});
  refresh();
}

async function buy() {
  const product = JSON.parse(document.querySelector("[data-event]").dataset.properties);
  await track("Order Completed", { order_id: uuid(), total: product.price, products: [{ ...product, quantity: 1 }] });
  document.getElementById("bought").textContent = "Thank you! It is on its way.";
  refresh();
}

chooser.value = localStorage.getItem("sandbox-visitor") ?? "ada";
if (!(chooser.value in VISITORS)) chooser.value = "ada";
chooser.addEventListener("change", () => {
  localStorage.setItem("sandbox-visitor", chooser.value);
  visit();
});
document.getElementById("buy")?.addEventListener("click", buy);
visit();
