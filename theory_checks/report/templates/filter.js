
"use strict";
// Search, filters and theme. Without this script the page shows everything.
(() => {
  const root = document.documentElement;
  const form = document.getElementById("filter");
  const status = document.getElementById("shown");
  const nothing = document.getElementById("nothing");
  const theme = document.getElementById("theme");

  // --- light and dark ---
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
  const nameTheme = () => { theme.textContent = isDark() ? "Light page" : "Dark page"; };
  theme.addEventListener("click", () => {
    const wanted = isDark() ? "light" : "dark";
    root.dataset.theme = wanted;
    try { localStorage.setItem("theory-checks-theme", wanted); } catch { /* for this visit only */ }
    nameTheme();
  });
  system.addEventListener("change", nameTheme);
  nameTheme();
  theme.hidden = false;

  // --- everything is open on paper ---
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const one of closed) one.open = true;
  });
  addEventListener("afterprint", () => { for (const one of closed) one.open = false; });

  // --- a claim quotes the statement of its theorem, which the page holds once ---
  for (const place of document.querySelectorAll("[data-quotes]")) {
    const stated = document.getElementById(place.dataset.quotes).querySelector("blockquote");
    const words = [...stated.childNodes].filter((node) => node.nodeName !== "FOOTER");
    place.replaceChildren(...words.map((node) => node.cloneNode(true)));
  }

  if (!form) return;

  // --- what can be found ---
  const decoded = (text) => { try { return decodeURIComponent(text); } catch { return text; } };
  const marks = new Map();
  for (const mark of document.querySelectorAll("svg a")) {
    const id = decoded(mark.getAttribute("href").slice(1));
    marks.set(id, [...(marks.get(id) || []), mark]);
  }
  const items = [...document.querySelectorAll("[data-id]")].map((row) => ({
    row, ...row.dataset,
    text: row.dataset.text.toLowerCase(),
    section: document.getElementById(row.dataset.id),
    marks: marks.get(row.dataset.id) || [],
  }));
  const claims = items.filter((item) => item.verdict !== undefined);
  const choices = ["paper", "verdict", "algorithm"];
  const fields = ["q", ...choices];
  const field = (name) => form.elements[name];
  let linked = "";

  const wanted = (item) => {
    const words = field("q").value.toLowerCase().split(/\s+/).filter(Boolean);
    return words.every((word) => item.text.includes(word))
      && choices.every((name) => !field(name).value || item[name] === field(name).value);
  };

  const show = () => {
    let count = 0, extra = false;
    for (const item of items) {
      const found = wanted(item);
      if (found && item.verdict !== undefined) count += 1;
      const named = item.id === linked;
      if (named && !found) extra = true;
      item.row.toggleAttribute("data-out", !found);
      item.section.toggleAttribute("data-out", !found && !named);
      for (const mark of item.marks) mark.toggleAttribute("data-faint", !found);
    }
    const filtered = fields.some((name) => field(name).value);
    status.textContent = (filtered ? `${count} of ${claims.length} claims` : `${claims.length} claims`)
      + (extra ? ", and the one in the address" : "");
    nothing.hidden = count > 0;
    form.elements.clear.disabled = !filtered;
  };

  // --- the address holds the filter, so that it can be passed on ---
  const read = () => {
    const given = new URLSearchParams(location.search);
    for (const name of fields) field(name).value = given.get(name) || "";
    // A choice that this page does not offer is no choice.
    for (const name of choices) if (field(name).selectedIndex < 0) field(name).value = "";
  };
  const write = () => {
    const address = new URL(location.href);
    for (const name of fields) {
      if (field(name).value) address.searchParams.set(name, field(name).value);
      else address.searchParams.delete(name);
    }
    address.hash = linked;
    try { history.replaceState(null, "", address); } catch { /* where addresses are not ours to change */ }
  };
  const changed = () => { linked = ""; show(); write(); };
  const follow = () => {
    linked = decoded(location.hash.slice(1));
    read();
    show();
    const target = items.find((item) => item.id === linked);
    if (target) target.section.scrollIntoView({ behavior: "instant" });
  };

  form.addEventListener("input", changed);
  form.addEventListener("submit", (event) => event.preventDefault());
  const clear = () => {
    for (const name of fields) field(name).value = "";
    changed();
    field("q").focus();
  };
  form.elements.clear.addEventListener("click", clear);
  nothing.querySelector("button").addEventListener("click", clear);
  addEventListener("hashchange", follow);
  addEventListener("popstate", () => { read(); show(); });
  addEventListener("keydown", (event) => {
    const typing = /^(input|select|textarea)$/i.test(event.target.tagName);
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      field("q").focus();
      field("q").select();
    }
  });
  form.hidden = false;
  follow();
})();
