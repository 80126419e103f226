// Personalize: fills <personalized-content> with what this visitor should see. How to use it: README.md.
(() => {
  "use strict";
  const TAG = "personalized-content";
  const KEPT = "personalize";
  const LIMIT = 1500; // ms from the question until the fallback stays, whatever it is that has to be waited for
  const AT_ONCE = 20; // recipes that the service takes in one request
  const NOT_PARAMETERS = /-|^(recipe|i[ds]|class|style|title|lang|dir|hidden|slot|role|part|tabindex|nonce|inert|popover|translate|draggable|accesskey|spellcheck|on.*|item.*)$/;

  const script = document.currentScript;
  if (!script || !window.customElements || customElements.get(TAG)) return;
  const api = new URL("/api/personalize?", script.src).href;
  const page = (window.personalize = window.personalize || {});
  let allowed = page.consented || !script.hasAttribute("data-consent");
  let queue = new Map();
  const stops = new Set(); // what is under way, each as the function that ends it

  const parsed = new Promise((go) =>
    document.readyState === "loading" ? document.addEventListener("DOMContentLoaded", go) : go()
  );
  const attempt = (act) => {
    try { return act(); } catch { /* storage is blocked, or what it holds is not ours */ }
  };
  const refuse = (entries, error) => entries.forEach((one) => one.no(error));
  const told = (value) => (typeof value === "function" ? value() : value);

  // analytics.js quotes texts and leaves numbers as they are: parsed, a long one would be rounded.
  const plain = (read) => attempt(() => {
    let text = String(read() || "");
    if (/^".*"$/.test(text)) text = attempt(() => JSON.parse(text)) || text.slice(1, -1);
    return text === "null" ? "" : text;
  });
  const cookie = (key) => {
    const [, value] = document.cookie.match(`(?:^|; )${key}=([^;]*)`);
    return attempt(() => decodeURIComponent(value)) || value;
  };
  const stored = (key) => plain(() => localStorage.getItem(key)) || plain(() => cookie(key));
  const live = (name) => plain(() => (analytics.instance || analytics).user()[name]());
  const legacy = () => plain(() => stored("ajs_user").match(/"id":\s*("(?:\\.|[^"\\])*"|\d+)/)[1]);

  const known = () => {
    const [anonymous, user] = (stored("_sio") || "").split("----");
    return {
      user_id: stored("ajs_user_id") || live("id") || legacy() || user,
      anonymous_id: stored("ajs_anonymous_id") || anonymous || live("anonymousId"),
    };
  };
  const proven = (token) => attempt(() => {
    const bytes = atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"));
    const { sub } = JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (one) => one.charCodeAt(0))));
    const [, type, id] = sub.match(/^(user_id|anonymous_id):(.+)$/);
    return { [type]: id };
  });
  const present = (ids) => Object.fromEntries(Object.entries(ids).filter((one) => one[1]).sort());
  const isSomebody = (ids) => Object.keys(ids).length;
  const visitor = async (token) => {
    const given = await told(page.visitor);
    if (given) return present(given);
    const find = () => {
      if (!allowed) return {}; // it was taken back meanwhile
      const sure = token && proven(token);
      return present(sure && sure.anonymous_id ? sure : { ...known(), ...sure });
    };
    const found = find();
    if (isSomebody(found) || !attempt(() => analytics.ready)) return found;
    await new Promise((go) => analytics.ready(go)); // a new visitor's id is about to be made
    return find();
  };
  const proof = () =>
    told(page.token) || attempt(() => document.querySelector('meta[name="personalize-token"]').content);

  const forget = () => attempt(() => sessionStorage.removeItem(KEPT));
  const kept = (who) => {
    const now = Date.now();
    const fresh = ([, [at, age]]) => at <= now && now < at + age;
    return attempt(() => {
      const all = JSON.parse(sessionStorage.getItem(KEPT));
      return all.who === who && Object.fromEntries(Object.entries(all.answers).filter(fresh));
    }) || {};
  };
  const keep = (who, answers) => attempt(() => sessionStorage.setItem(KEPT, JSON.stringify({ who, answers: { ...kept(who), ...answers } })));

  const get = (recipe, params = {}, elements = []) => {
    const key = recipe + "?" + new URLSearchParams(Object.entries(params).sort());
    const entry = queue.get(key) || { key, recipe, params, elements: [] };
    entry.elements.push(...elements);
    entry.answer = entry.answer || new Promise((yes, no) => Object.assign(entry, { yes, no }));
    queue.set(key, entry);
    soon();
    return entry.answer;
  };
  const soon = () => parsed.then(() => setTimeout(flush));

  const flush = async () => {
    if (!allowed || !queue.size) return;
    const entries = [...queue.values()];
    queue = new Map();
    const stopping = new AbortController(), { signal } = stopping;
    const stop = (code) => {
      refuse(entries, { code });
      stopping.abort();
      stops.delete(stop);
    };
    stops.add(stop);
    setTimeout(stop, LIMIT, "timeout");
    entries.forEach((one) => one.elements.forEach((element) => element.setAttribute("aria-busy", true)));
    try {
      const token = await proof();
      const ids = await visitor(token);
      if (signal.aborted) return;
      if (!isSomebody(ids)) throw { code: "no_visitor" };
      const who = [api, new URLSearchParams(ids), !!token].join();
      const answers = kept(who);
      const missing = entries.filter((one) => !answers[one.key]);
      entries.forEach((one) => answers[one.key] && one.yes(answers[one.key][2]));
      while (missing.length) ask(missing.splice(0, AT_ONCE), ids, token, who, signal);
    } catch (error) {
      refuse(entries, error);
    }
  };

  const request = async (entries, ids, token, signal) => {
    const query = new URLSearchParams({ recipes: entries.map((one, index) => `${index}:${one.recipe}`), ...ids });
    entries.forEach((one, index) => Object.entries(one.params).forEach(([name, value]) => query.set(`${index}.${name}`, value)));
    // Without headers of its own this asks no other question first (CORS preflight). What the browser itself keeps is
    // not asked for proof: the service is, each time.
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    const response = await fetch(api + query, { credentials: "omit", cache: "no-cache", headers, signal });
    const body = await response.json();
    if (!response.ok) throw body;
    return { results: body.results, age: attempt(() => response.headers.get("Cache-Control").match(/max-age=(\d+)/)[1]) * 1000 };
  };
  const ask = async (entries, ids, token, who, signal) => {
    try {
      const { results, age } = await request(entries, ids, token, signal);
      const answers = {}, refused = [];
      entries.forEach((one, index) => {
        const result = results[index];
        if (result.status === "ok") {
          if (age) answers[one.key] = [Date.now(), age, result];
          one.yes(result);
        } else if (result.error.status === 403) refused.push(one);
        else one.no(result.error);
      });
      if (age) keep(who, answers);
      const unproven = !token && ids.user_id && ids.anonymous_id; // the random id alone is proof enough
      if (refused.length && unproven) await ask(refused, { anonymous_id: ids.anonymous_id }, token, who, signal);
      else refuse(refused, { code: "proof_required" });
    } catch (error) {
      refuse(entries, error);
    }
  };

  const link = (value) => value && attempt(() => {
    const url = new URL(value, location.href);
    return /^https?:$/.test(url.protocol) && url.href;
  });
  const field = (item, path) => path.split(".").reduce((value, name) => (value == null ? value : value[name]), item);
  const filled = (template, item) => {
    const copy = document.importNode(template.content, true);
    const each = (name, act) => copy.querySelectorAll(`[data-${name}]`).forEach((node) => act(node, field(item, node.dataset[name])));
    each("field", (node, value) => { node.textContent = value == null ? "" : Array.isArray(value) ? value.join(", ") : value; });
    each("href", (node, value) => node.matches("a,area") && link(value) && (node.href = link(value)));
    each("src", (node, value) => node.matches("img,source") && (link(value) ? (node.src = link(value)) : (node.hidden = true)));
    return [...copy.childNodes];
  };
  const track = (event, properties) => attempt(() => analytics.track(`Personalized Content ${event}`, properties));

  class Content extends HTMLElement {
    connectedCallback() {
      if (!this.turn) this.ask();
    }

    ask() {
      const turn = (this.turn = {});
      const recipe = this.getAttribute("recipe") || "";
      const params = [...this.attributes].filter((one) => !NOT_PARAMETERS.test(one.name)).map((one) => [one.name, one.value]);
      const last = (act) => (value) => {
        if (turn !== this.turn) return;
        this.setAttribute("aria-busy", false);
        act(value);
      };
      get(recipe, Object.fromEntries(params), [this]).then(last((answer) => this.show(recipe, answer, turn)), last((error) => this.miss(recipe, error)));
    }

    show(recipe, answer, turn) {
      if (turn !== this.turn || !allowed) return;
      if (this.contains(document.activeElement)) { // nobody loses the link that they are on
        this.addEventListener("focusout", () => setTimeout(() => this.show(recipe, answer, turn)), { once: true });
        return;
      }
      try {
        const data = [].concat(answer.data).filter(Boolean);
        const template = this.querySelector("template");
        const items = template ? data.map((item) => filled(template, item)) : [];
        this.put(items.flat());
        this.measure(recipe, answer, data, items);
        this.tell("ready", { recipe, ...answer });
      } catch (error) {
        this.miss(recipe, error);
      }
    }

    miss(recipe, error) {
      const code = (error && error.code) || "unavailable";
      if (/^(no_|proof)/.test(code)) this.put([]); // what is there may be another's; else it is better than nothing
      this.tell("error", { recipe, code });
    }

    put(nodes) {
      this.fallback = this.fallback || [...this.childNodes];
      if (!nodes.length && !this.filled) return;
      if (this.seeing) this.seeing.disconnect();
      const style = getComputedStyle(this), last = this.lastElementChild;
      if (style.display === "inline" && last && !/^(in|no)/.test(getComputedStyle(last).display)) this.style.display = "block";
      this.style.minHeight = style.height; // what is below stays where it is
      addEventListener("resize", () => { this.style.minHeight = ""; }, { once: true });
      this.filled = nodes.length > 0;
      this.replaceChildren(...(this.filled ? [this.querySelector("template"), ...nodes] : this.fallback));
    }

    measure(recipe, { personalized }, data, items) {
      if (!this.hasAttribute("data-track") || !items.length) return;
      const name = (item) => item.product_id || item.url || item.name;
      this.seeing = new IntersectionObserver(([seen], observer) => {
        if (!seen.isIntersecting) return;
        observer.disconnect();
        track("Viewed", { recipe, personalized, items: data.map(name) });
      });
      this.seeing.observe(this);
      this.onclick = ({ target }) => {
        const index = items.findIndex((nodes) => nodes.some((node) => node.contains(target)));
        if (index >= 0 && target.closest("a[href]")) track("Clicked", { recipe, personalized, item: name(data[index]), position: index + 1 });
      };
    }

    tell(event, detail) {
      this.dispatchEvent(new CustomEvent(`personalize:${event}`, { bubbles: true, detail }));
    }
  }

  page.get = (recipe, params) => get(recipe, params);
  page.refresh = () => {
    if (allowed) forget();
    document.querySelectorAll(TAG).forEach((one) => one.ask());
  };
  page.consent = (given = true) => {
    allowed = given;
    if (given) return soon();
    stops.forEach((stop) => stop("no_consent"));
    forget();
  };
  customElements.define(TAG, Content);
})();
