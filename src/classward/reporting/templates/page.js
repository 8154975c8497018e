// What the page can do beyond being read: tables sort and filter, cells of a matrix tell their
// figures and show their images, BibTeX is copied. All text is set as text, never as markup.
"use strict";

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// --- Tables ---------------------------------------------------------------------------------

function key(row, column, numeric) {
  const text = row.cells[column]?.textContent.trim() ?? "";
  return numeric ? parseFloat(text.replace("\u2212", "-").replace("< ", "")) : text;
}

function sort(table, column) {
  const heads = [...table.tHead.rows[0].cells];
  const numeric = heads[column].classList.contains("num");
  const before = heads[column].getAttribute("aria-sort");
  const upwards = before ? before === "descending" : !numeric; // of numbers the largest first
  heads.forEach((head) => head.removeAttribute("aria-sort"));
  heads[column].setAttribute("aria-sort", upwards ? "ascending" : "descending");
  const order = new Intl.Collator("en", { numeric: true });
  const missing = (value) => (numeric ? Number.isNaN(value) : value === "");
  const rows = [...table.tBodies[0].rows].map((row) => [key(row, column, numeric), row]);
  rows.sort(([one], [other]) => {
    if (missing(one) || missing(other)) return missing(one) - missing(other); // always last
    const difference = numeric ? one - other : order.compare(one, other);
    return upwards ? difference : -difference;
  });
  table.tBodies[0].append(...rows.map(([, row]) => row));
}

function makeSortable(table) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = make("button", { type: "button" }, ...head.childNodes);
    button.addEventListener("click", () => sort(table, column));
    head.append(button);
  });
}

function makeFilter(scroll) {
  const what = scroll.dataset.filter;
  const rows = [...scroll.querySelector("table").tBodies[0].rows];
  const names = rows.map((row) => row.querySelector("th").textContent.toLowerCase());
  const box = make("input", { type: "search", autocomplete: "off", spellcheck: "false" });
  const told = make("span", { role: "status" });
  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, n) => {
      row.hidden = !words.every((word) => names[n].includes(word));
      shown += !row.hidden;
    });
    told.textContent = words.length ? `${shown} of ${rows.length} ${what}` : "";
  });
  const label = make("label", {}, `Filter ${what} by name `, box);
  scroll.before(make("div", { class: "controls" }, label, told));
}

// --- Matrices -------------------------------------------------------------------------------

const tip = make("div", { class: "tip", "aria-hidden": "true", hidden: "" });
const dialog = make("dialog", { "aria-labelledby": "pair" });

function say(cell, title, told) {
  tip.replaceChildren(make("b", {}, title), make("br"), told);
  tip.hidden = false;
  const at = cell.getBoundingClientRect();
  const left = at.left + at.width / 2 - tip.offsetWidth / 2;
  const above = at.top - tip.offsetHeight - 6;
  tip.style.left = `${Math.max(4, Math.min(left, innerWidth - tip.offsetWidth - 4))}px`;
  tip.style.top = `${above < 4 ? at.bottom + 6 : above}px`;
}

const silence = () => {
  tip.hidden = true;
};

function examplesOf(pair) {
  const found = [...document.querySelectorAll("figure[data-pair]")].filter(
    (figure) => figure.dataset.pair === pair,
  );
  const none = "There is no example image of this pair on this page.";
  if (!found.length) return make("p", {}, none);
  return make("div", { class: "examples" }, ...found.map((figure) => figure.cloneNode(true)));
}

function show(matrix, i, j) {
  const { names, classes, cells } = matrix;
  const close = make("button", { type: "button", class: "plain-button" }, "Close");
  close.addEventListener("click", () => dialog.close());
  const title = `${names[i]} \u2192 ${names[j]}`;
  const lines = [make("h2", { id: "pair" }, title), make("p", {}, cells[i][j])];
  if (i !== j) {
    lines.push(make("p", {}, `The other way, ${names[j]} \u2192 ${names[i]}: ${cells[j][i]}`));
    lines.push(examplesOf(`${classes[i]}-${classes[j]}`));
  }
  dialog.replaceChildren(...lines, close);
  silence();
  dialog.showModal();
}

function makeCell(matrix, i, j) {
  const title = `${matrix.names[i]} \u2192 ${matrix.names[j]}`;
  const told = matrix.cells[i][j];
  const name = `${title}: ${told}`;
  const cell = make("div", { role: "gridcell", tabindex: "-1", "aria-label": name });
  for (const event of ["mouseenter", "focus"]) {
    cell.addEventListener(event, () => say(cell, title, told));
  }
  for (const event of ["mouseleave", "blur"]) cell.addEventListener(event, silence);
  cell.addEventListener("click", () => show(matrix, i, j));
  return cell;
}

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

function move(event, cells, matrix) {
  const k = matrix.names.length;
  const at = cells.indexOf(event.target);
  if (at < 0) return;
  if (event.key === "Enter" || event.key === " ") {
    show(matrix, Math.floor(at / k), at % k);
  } else if (event.key in STEPS) {
    const [down, right] = STEPS[event.key];
    const row = Math.min(k - 1, Math.max(0, Math.floor(at / k) + down));
    const column = Math.min(k - 1, Math.max(0, (at % k) + right));
    cells[at].tabIndex = -1;
    cells[row * k + column].tabIndex = 0;
    cells[row * k + column].focus();
  } else return;
  event.preventDefault();
}

function makeMatrix(figure, matrix) {
  const [left, top, width, height] = matrix.box;
  const name = figure.querySelector(".plot").getAttribute("aria-label");
  const grid = make("div", { class: "cells", role: "grid", "aria-label": name });
  Object.assign(grid.style, {
    left: `${left}%`, top: `${top}%`, width: `${width}%`, height: `${height}%`,
  });
  const rows = matrix.names.map((_, i) => matrix.names.map((_, j) => makeCell(matrix, i, j)));
  grid.append(...rows.map((row) => make("div", { role: "row" }, ...row)));
  const cells = rows.flat();
  cells[0].tabIndex = 0;
  grid.addEventListener("keydown", (event) => move(event, cells, matrix));
  figure.querySelector(".plot").removeAttribute("tabindex"); // a cell is reached instead
  figure.querySelector(".sheet").append(grid);
  const images = document.querySelector("figure[data-pair]") ? " and example images" : "";
  const hint = " Point at a cell for its figures, or move with the arrow keys; click it, or "
    + `press Enter, for both ways${images}.`;
  figure.querySelector("figcaption").append(make("span", { class: "hint" }, hint));
}

// --- The page -------------------------------------------------------------------------------

function makeCopy(details) {
  const text = details.querySelector("pre");
  const told = make("span", { role: "status" });
  const button = make("button", { type: "button", class: "plain-button" }, "Copy");
  button.addEventListener("click", async () => {
    getSelection().selectAllChildren(text);
    try {
      await navigator.clipboard.writeText(text.textContent);
      told.textContent = "Copied.";
    } catch {
      told.textContent = "Selected: copy it with the keyboard.";
    }
  });
  text.before(make("div", { class: "controls" }, button, told));
}

function reach() {
  // What scrolls must be reached by the keyboard, and nothing else need be.
  for (const box of document.querySelectorAll(".scroll")) {
    const more = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
    if (more) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

const data = JSON.parse(document.getElementById("data")?.textContent ?? "{}");
for (const figure of document.querySelectorAll("[data-matrix]")) {
  makeMatrix(figure, data[figure.dataset.matrix]);
}
for (const scroll of document.querySelectorAll("[data-filter]")) {
  makeSortable(scroll.querySelector("table"));
  if (scroll.querySelectorAll("tbody tr").length > 5) makeFilter(scroll);
}
document.querySelectorAll("details.bibtex").forEach(makeCopy);
document.body.append(tip, dialog);
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
addEventListener("keydown", (event) => event.key === "Escape" && silence());
addEventListener("scroll", silence, { capture: true, passive: true });
addEventListener("resize", reach);
document.addEventListener("toggle", reach, true);
reach();
