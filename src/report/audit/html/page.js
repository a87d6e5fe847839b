
(() => {
  "use strict";
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  root.classList.add("js");

  // Light or dark: what the system wants until somebody chooses.
  const theme = byId("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
  const stored = (value) => {
    // Pages of some files may keep nothing.
    try {
      if (value) localStorage.setItem("podgrace-theme", value);
      return localStorage.getItem("podgrace-theme");
    } catch {
      return null;
    }
  };
  const label = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  const before = stored();
  if (before === "dark" || before === "light") root.dataset.theme = before;
  theme.hidden = false;
  label();
  system.addEventListener("change", label);
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    stored(root.dataset.theme);
    label();
  });

  const list = byId("list");
  const form = byId("filters");
  if (!list || !form) return;
  const rows = Array.from(list.children, (row) => ({
    row,
    namespace: row.dataset.n,
    rules: row.dataset.r ? row.dataset.r.split(" ") : [],
    severities: row.dataset.s ? row.dataset.s.split(" ") : ["none"],
    text: null,
  }));
  const ofRow = new Map(rows.map((one) => [one.row, one]));
  const wanted = { words: [], namespace: "", rule: "", severities: new Set() };

  // Makes elements of what a row opens to, once.
  const fill = (row) => {
    const kept = row.querySelector(":scope > noscript");
    if (kept) {
      text(ofRow.get(row));
      const inside = document.createElement("div");
      inside.innerHTML = kept.textContent;
      kept.replaceWith(inside);
    }
    narrow(row);
  };
  // Within a row that is open, only the findings that were asked for.
  const narrow = (row) => {
    for (const finding of row.querySelectorAll(".findings > li")) {
      const { r, s } = finding.dataset;
      finding.hidden = (wanted.rule !== "" && wanted.rule !== r) || !wanted.severities.has(s);
    }
  };
  const text = (one) => {
    if (one.text === null) {
      const kept = one.row.querySelector(":scope > noscript");
      const inside = kept ? kept.textContent.replace(/<[^>]*>/g, " ") : "";
      one.text = (one.row.firstElementChild.textContent + " " + inside).toLowerCase();
    }
    return one.text;
  };
  const plural = (count, word) => count.toLocaleString("en") + " " + word + (count === 1 ? "" : "s");

  const filter = () => {
    wanted.words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    wanted.namespace = byId("namespace").value;
    wanted.rule = byId("rule").value;
    wanted.severities = new Set(
      Array.from(form.querySelectorAll("[name=severity]:checked"), (box) => box.value));
    let shown = 0;
    for (const one of rows) {
      const is = (wanted.namespace === "" || one.namespace === wanted.namespace)
        && (wanted.rule === "" || one.rules.includes(wanted.rule))
        && one.severities.some((severity) => wanted.severities.has(severity))
        && wanted.words.every((word) => text(one).includes(word));
      if (one.row.hidden === is) one.row.hidden = !is;
      shown += is;
      if (one.row.open) narrow(one.row);
    }
    byId("count").textContent = shown === rows.length
      ? plural(shown, "workload") : plural(shown, "workload") + " of " + rows.length.toLocaleString("en");
    byId("nothing").hidden = shown > 0;
  };
  let waiting = 0;
  form.addEventListener("input", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(filter);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  form.hidden = false;
  filter();

  // The event does not bubble.
  list.addEventListener("toggle", (event) => {
    if (event.target.open && ofRow.has(event.target)) fill(event.target);
  }, true);

  for (const button of document.querySelectorAll("button.rule")) {
    button.addEventListener("click", () => {
      form.reset();
      byId("rule").value = button.dataset.rule;
      setTimeout(() => {
        filter();
        byId("workloads").scrollIntoView();
        byId("workloads").focus({ preventScroll: true });
      });
    });
  }

  // A link to a finding opens its workload, whatever the filters hide.
  const follow = () => {
    const [, id] = /^#(w\d+)(-\d+)?$/.exec(location.hash) || [];
    const row = id && byId(id);
    if (!row) return;
    if (row.hidden) {
      form.reset();
      setTimeout(follow);
      return;
    }
    row.open = true;
    fill(row);
    const target = byId(location.hash.slice(1)) || row;
    target.scrollIntoView({ block: "center" });
    (target === row ? row.firstElementChild : target).focus({ preventScroll: true });
  };
  addEventListener("hashchange", follow);
  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest("a[href^='#w']");
    if (link && link.getAttribute("href") === location.hash) follow();
  });
  follow();

  // On paper nothing can be opened; more than this nobody prints.
  addEventListener("beforeprint", () => {
    const shown = rows.filter((one) => !one.row.hidden);
    if (shown.length > 300) return;
    for (const { row } of shown) {
      if (!row.open) {
        row.open = true;
        row.dataset.printed = "";
      }
      fill(row);
    }
  });
  addEventListener("afterprint", () => {
    for (const row of list.querySelectorAll("[data-printed]")) {
      row.open = false;
      delete row.dataset.printed;
    }
  });
})();
