// The console: asks as its reader says, and shows what it is told. Values become text, never markup of this page.
"use strict";

const KEY = "personalize-console-key";
const POLL_MS = 2000;
const POINTS = 60;
const SVG = "http://www.w3.org/2000/svg";
const SOURCES = { profile_api: "Profile API", redis: "Redis" };
const $ = (id) => document.getElementById(id);

// Elements with attributes and children; a text stays a text.
function element(name, attributes = {}, ...children) {
  const one = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value);
  one.append(...children);
  return one;
}

function drawn(name, attributes, text) {
  const one = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value);
  if (text !== undefined) one.textContent = text;
  return one;
}

function kept() {
  try { return sessionStorage.getItem(KEY) ?? ""; } catch { return ""; }
}

function keep(key) {
  try { sessionStorage.setItem(KEY, key); } catch { /* then it is asked for again */ }
}

async function asked(path) {
  const key = $("key").value || kept();
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const answer = await fetch(path, { headers, credentials: "omit", cache: "no-store" });
  const told = await answer.json();
  if (answer.ok && key) keep(key);
  if (answer.status === 401 || answer.status === 403) $("locked").hidden = false;
  if (!answer.ok) throw new Error(told.detail);
  return told;
}

const ms = (seconds) => `${(seconds * 1000).toFixed(1)} ms`;

// The form: what can be asked is what the API's description says.

let recipes = {};

async function describe() {
  const answer = await fetch("openapi.json");
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const described = await answer.json();
  const named = Object.entries(described.paths).filter(([path, { get }]) => get && get.tags?.includes("recipes") && path !== "/api/personalize");
  recipes = Object.fromEntries(named.map(([path, { get }]) => [path.slice("/api/".length), get]));
  $("recipe").replaceChildren(...Object.keys(recipes).map((name) => element("option", {}, name)));
  offer();
}

function offer() {
  const recipe = recipes[$("recipe").value];
  $("about").textContent = recipe.summary ?? "";
  const before = Object.fromEntries(new FormData($("ask")));
  $("parameters").replaceChildren(...recipe.parameters.filter((one) => one.in === "query").map((one) => {
    const id = `parameter-${one.name}`;
    const input = element("input", { id, name: one.name, spellcheck: "false" });
    input.value = before[one.name] ?? "";
    if (one.schema.default !== undefined) input.placeholder = String(one.schema.default);
    return element("p", {}, element("label", { for: id }, one.name), input);
  }));
}

async function ask(event) {
  event.preventDefault();
  const fields = [...new FormData($("ask"))].filter(([name, value]) => value && name !== "key" && name !== "recipe");
  $("answer").setAttribute("aria-busy", "true");
  try {
    show(await asked(`console/answers/${encodeURIComponent($("recipe").value)}?${new URLSearchParams(fields)}`));
    $("problem").hidden = true;
    $("locked").hidden = true;
  } catch (error) {
    complain(error.message);
    if (!$("locked").hidden) $("key").focus();
  } finally {
    $("answer").setAttribute("aria-busy", "false");
  }
}

function complain(text) {
  $("problem").textContent = text;
  $("problem").hidden = false;
  $("told").hidden = true;
}

// The answer.

function show(told) {
  $("told").hidden = false;
  const facts = [
    [told.personalized ? "personalized" : "not personalized", false],
    [told.provenance, told.provenance !== "fresh"],
    ...(told.degraded ? [["degraded", true]] : []),
    ...(told.error ? [[`the recipe ${told.error}`, true]] : []),
    [ms(told.total), false],
    [`request ${told.request_id}`, false],
  ];
  $("facts").replaceChildren(...facts.map(([text, warns]) => element("li", warns ? { class: "warns" } : {}, text)));
  $("shown").replaceChildren(rendered(told));
  $("needs").replaceChildren(...told.needs.map(row));
  $("waterfall").replaceChildren(waterfall(told));
  const { recipe, personalized, degraded, data } = told;
  $("json").textContent = JSON.stringify({ recipe, personalized, degraded, data }, null, 2);
}

function row(need) {
  const cells = [need.parameter, need.need, SOURCES[need.source] ?? need.source, aged(need), fresh(need), String(need.items ?? ""), need.seconds === undefined ? "" : ms(need.seconds)];
  return element("tr", {}, ...cells.map((text) => element("td", {}, text)));
}

function aged({ age }) {
  return age === undefined ? "" : `${age.toFixed(0)} s`;
}

function fresh({ ttl }) {
  if (ttl === undefined) return "";
  return ttl > 0 ? `for ${ttl.toFixed(0)} s` : `not for ${(-ttl).toFixed(0)} s`;
}

// A recipe's own markup is shown where it can neither run nor reach anything.
function rendered({ markup, data }) {
  if (markup !== null) return element("iframe", { sandbox: "", title: "The answer as the recipe's template shows it", srcdoc: markup });
  if (Array.isArray(data) && data.length && data.every((one) => one && typeof one === "object")) {
    return element("ul", {}, ...data.map(card));
  }
  return element("pre", { tabindex: "0" }, JSON.stringify(data, null, 2));
}

function card(one) {
  const title = String(one.title ?? one.name ?? one.event ?? one.product_id ?? one.id ?? "");
  const children = [];
  if (web(one.image)) children.push(element("img", { src: one.image, alt: "", loading: "lazy", referrerpolicy: "no-referrer" }));
  children.push(web(one.url) ? element("a", { href: one.url, rel: "noreferrer", target: "_blank" }, title) : element("strong", {}, title));
  const more = one.excerpt ?? one.description ?? one.timestamp;
  if (more) children.push(element("p", {}, String(more)));
  return element("li", {}, ...children);
}

const web = (url) => typeof url === "string" && /^https?:\/\//i.test(url);

// What took how long: sections from the start until they were known, the calls behind them, then the recipe.
function waterfall({ needs, calls, seconds, total }) {
  const read = needs.filter((one) => one.seconds !== undefined);
  const known = Math.max(0, ...read.map((one) => one.seconds));
  const bars = [
    ...read.map((one) => ({ name: one.need, at: 0, seconds: one.seconds, note: SOURCES[one.source] ?? one.source })),
    ...calls.map((one) => ({ name: `GET …/${one.route}`, at: one.at, seconds: one.seconds, call: true, note: `${one.outcome}${one.request_id ? `, Request-Id ${one.request_id}` : ""}` })),
    { name: "the recipe itself", at: known, seconds, note: "" },
  ];
  const [left, width, line] = [220, 240, 26];
  const whole = Math.max(total, ...bars.map((one) => one.at + one.seconds)) || 1;
  const svg = drawn("svg", { viewBox: `0 0 900 ${bars.length * line + 4}`, role: "img", "aria-label": `Timeline of ${ms(total)}: ${bars.map((one) => `${one.name} ${ms(one.seconds)}`).join(", ")}` });
  bars.forEach((one, index) => {
    const y = index * line;
    svg.append(
      drawn("line", { x1: 0, x2: 900, y1: y + line, y2: y + line }),
      drawn("text", { x: 0, y: y + 17 }, one.name.length > 34 ? `${one.name.slice(0, 33)}…` : one.name),
      drawn("rect", { x: left + (one.at / whole) * width, y: y + 6, width: Math.max(2, (one.seconds / whole) * width), height: 14, rx: 3, ...(one.call ? { class: "call" } : {}) }),
      drawn("text", { x: left + width + 14, y: y + 17, class: "soft" }, `${ms(one.seconds)}${one.note ? ` · ${one.note}` : ""}`),
    );
  });
  return svg;
}

// Vitals: what has been counted between two looks.

let last = null;
const series = { hits: [], latency: [], budget: [] };

async function look() {
  if (!document.hidden && (kept() || $("locked").hidden)) {
    try {
      const told = { ...(await asked("console/vitals")), at: performance.now() };
      if (last?.process !== told.process) restart();
      else compare(told, last);
      last = told;
    } catch { /* it may answer next time: of the same process, or of another */ }
  }
  setTimeout(look, POLL_MS);
}

const risen = (now, before) => Object.fromEntries(Object.entries(now).map(([key, value]) => [key, value - (before[key] ?? 0)]));
const sum = (counts) => Object.values(counts).reduce((all, one) => all + one, 0);

function compare(now, before) {
  const reads = risen(now.reads, before.reads);
  draw("hits", sum(reads) ? ((reads.memory ?? 0) + (reads.redis ?? 0)) / sum(reads) : null, 1, (share) => `${(100 * share).toFixed(0)} %`);
  const within = Object.entries(risen(now.seconds, before.seconds)).sort(([one], [other]) => bound(one) - bound(other));
  const answers = within.at(-1)?.[1] ?? 0;
  const slow = answers ? bound(within.find(([, count]) => count >= 0.95 * answers)[0]) : null;
  draw("latency", slow, 0.8, (seconds) => (Number.isFinite(seconds) ? ms(seconds) : "more than 2.5 s"));
  const rate = (now.calls - before.calls) / ((now.at - before.at) / 1000);
  draw("budget", rate / now.budget, 1, () => `${rate.toFixed(1)} of ${now.budget}/s${now.breaker_open ? ", breaker open" : ""}`);
}

// The numbers of two starts, or of two workers, say nothing about one another.
function restart() {
  for (const [name, points] of Object.entries(series)) {
    points.length = 0;
    $(`${name}-chart`).replaceChildren();
  }
}

const bound = (le) => (le === "+Inf" ? Infinity : Number(le));

function draw(name, value, most, told) {
  const points = series[name];
  points.push(value);
  if (points.length > POINTS) points.shift();
  if (value !== null) $(name).textContent = told(value);  // while nobody asks, what it was last
  let path = "";
  points.forEach((one, index) => {
    if (one === null) return;
    const x = 120 - (points.length - 1 - index) * (120 / (POINTS - 1));
    const y = 30 - 28 * Math.min(1, one / most);
    path += `${path && points[index - 1] !== null ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
  });
  $(`${name}-chart`).replaceChildren(drawn("path", { d: path || "M0 0" }));
}

$("ask").addEventListener("submit", ask);
$("recipe").addEventListener("change", offer);
describe().catch((error) => complain(`What can be asked is not known: openapi.json could not be read (${error.message}). Load this page again.`));
look();
