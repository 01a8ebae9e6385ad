"use strict";
document.documentElement.classList.add("js");
document.addEventListener("DOMContentLoaded", () => {
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // The theme is the system's until somebody asks for the other one; nothing is stored.
  const theme = one("#theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
  const nameTheme = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.setAttribute("aria-label", "Change between dark and light");
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    nameTheme();
  });
  system.addEventListener("change", nameTheme);
  nameTheme();

  // Copying: browsers that keep the clipboard from pages of file: still copy what is selected.
  document.addEventListener("click", async ({ target }) => {
    const button = target.closest(".copy");
    if (!button) return;
    const code = one("code", button.parentElement);
    let done = true;
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      getSelection().selectAllChildren(code);
      done = document.execCommand("copy");
    }
    button.textContent = done ? "Copied" : "Press Ctrl+C";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });

  // Needs: one of the two lists at a time.
  const choose = (id) => {
    for (const view of all(".view")) view.classList.toggle("chosen", view.id === id);
    for (const button of all("[data-view]")) button.setAttribute("aria-pressed", button.dataset.view === id);
  };
  for (const button of all("[data-view]")) button.addEventListener("click", () => choose(button.dataset.view));
  choose("by-need");

  // Findings.
  const table = one(".findings");
  const search = one("#search");
  const filters = all("[data-filter]");
  const rows = table ? [...table.tBodies].map((body, order) => ({ body, order })) : [];

  const open = (body, isOpen) => {
    body.classList.toggle("open", isOpen);
    one(".opener", body).setAttribute("aria-expanded", isOpen);
  };
  const textOf = (row) => row.text ??= all("td span:not(.command, .chips), bdi, code", row.body).map((e) => e.textContent).join(" ").toLowerCase();
  const update = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = {};
    for (const { dataset, ariaPressed } of filters) {
      if (ariaPressed === "true") (chosen[dataset.filter] ??= new Set()).add(dataset.value);
    }
    let shown = 0;
    for (const row of rows) {
      const fits = Object.entries(chosen).every(([key, values]) => values.has(row.body.dataset[key]))
        && words.every((word) => textOf(row).includes(word));
      row.body.hidden = !fits;
      shown += fits;
    }
    const total = rows.length.toLocaleString("en");
    one("#status").textContent = shown === rows.length ? `${total} findings` : `${shown.toLocaleString("en")} of ${total} findings`;
    one("#none").hidden = shown > 0;
  };
  const reset = () => {
    search.value = "";
    for (const button of filters) button.ariaPressed = "false";
    update();
  };

  // A link into what is folded or filtered away shows it.
  const reveal = () => {
    const target = document.getElementById(location.hash.slice(1));
    if (!target) return;
    const view = target.closest(".view");
    if (view) choose(view.id);
    if (target.matches(".finding")) {
      if (target.hidden) reset();
      open(target, true);
      one(".opener", target).focus({ preventScroll: true });
    }
    target.scrollIntoView({ block: "start" });
  };
  addEventListener("hashchange", reveal);

  if (table) {
    search.addEventListener("input", update);
    one("#reset").addEventListener("click", () => { reset(); search.focus(); });
    for (const button of filters) {
      button.addEventListener("click", () => {
        button.ariaPressed = button.ariaPressed === "true" ? "false" : "true";
        update();
      });
    }
    table.addEventListener("click", ({ target }) => {
      const row = target.closest(".finding > tr:first-child");
      if (!row || target.closest("a") || (!target.closest("button") && String(getSelection()))) return;
      open(row.parentElement, !row.parentElement.classList.contains("open"));
    });
    const openAll = one("#open-all");
    openAll.addEventListener("click", () => {
      const isOpen = openAll.textContent === "Open all";
      for (const { body } of rows) open(body, isOpen);
      openAll.textContent = isOpen ? "Close all" : "Open all";
    });
    const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
    const heads = all("thead th", table);
    heads.forEach((head, column) => one("button", head).addEventListener("click", () => {
      const sign = head.ariaSort === "ascending" ? -1 : 1;
      for (const other of heads) other.removeAttribute("aria-sort");
      head.ariaSort = sign === 1 ? "ascending" : "descending";
      // The weight is sorted as the findings came: most important first.
      const keys = new Map(rows.map((row) => [row, column ? row.body.rows[0].cells[column].textContent : ""]));
      rows.sort((a, b) => sign * (collator.compare(keys.get(a), keys.get(b)) || a.order - b.order));
      table.append(...rows.map((row) => row.body));
    }));
  }
  document.addEventListener("keydown", (event) => {
    if (!search || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/" && !event.target.matches("input")) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "Escape" && event.target === search) {
      search.value = "";
      update();
    }
  });
  reveal();
});
