"use strict";

// Patches new figures into the page: scroll, focus, selection and what is open stay as they are.
// Without scripts every link and form works by itself, and the page reloads.
const EVERY = 3000;
// New snapshots may come each second. What takes long is asked for less often: a page that is left
// open may use a tenth of the quick readers' time, its slow sections a twentieth of theirs.
const PAGE_REST = 10;
const SECTION_REST = 20;
let due = 0;
const sectionDue = new Map();
const at = (id) => document.getElementById(id);

// Figures of the same address stay in sight until newer ones have come.
let asked = 0;
const address = () => location.pathname + location.search;
let shown = address();

function parsed(text) {
  return new DOMParser().parseFromString(text, "text/html");
}

function patch(old, fresh) {
  const isSame = shown === address();
  Idiomorph.morph(old, fresh, {
    ignoreActiveValue: true,
    callbacks: {
      beforeNodeMorphed(from, to) {
        if (!(to instanceof Element)) return true;
        // A form in use is left alone.
        if (from.id === "filters" && isSame && from.contains(document.activeElement)) return false;
        if (to.dataset?.later && isSame && !from.dataset.later) {
          from.dataset.older = to.dataset.later;
          return false;
        }
        return true;
      },
      beforeAttributeUpdated(name, element) {
        // What the reader opened or chose.
        if (name === "open" && element.localName === "details") return false;
        if (isSame && element.id === "plot") return name !== "aria-valuenow" && name !== "aria-valuetext";
        if (isSame && element.id === "cursor") return false;
        return !(name === "hidden" && element.id === "away");
      },
    },
  });
}

function askAgain() {
  for (const section of document.querySelectorAll("[data-older]")) {
    if (Date.now() >= (sectionDue.get(section.id) ?? 0)) section.dataset.again = section.dataset.older;
  }
}

// The sections that take longer come after the page, one after the other. New snapshots do not stop
// one that is on its way; another choice of the reader does.
let isFetching = false;
async function fetchSections() {
  askAgain();
  if (isFetching) return;
  isFetching = true;
  try {
    for (;;) {
      const section = document.querySelector("[data-later], [data-again]");
      if (!section) return;
      await fetchSection(section, section.dataset.again ?? section.dataset.later);
    }
  } finally {
    isFetching = false;
  }
}

async function fetchSection(section, url) {
  const begun = Date.now();
  const chosen = address();
  const answer = await fetch(url, { cache: "no-store" });
  const text = await answer.text();
  sectionDue.set(section.id, Date.now() + SECTION_REST * (Date.now() - begun));
  if (address() !== chosen) return;
  if (answer.ok) {
    patch(section, parsed(text).body.firstElementChild);
  } else {
    const paragraph = document.createElement("p");
    paragraph.className = "empty";
    paragraph.textContent = text;
    section.querySelector(":scope > .empty")?.replaceWith(paragraph);
  }
  for (const name of ["data-later", "data-again", "data-older", "aria-busy"]) section.removeAttribute(name);
}

async function load(words) {
  asked += 1;
  const request = asked;
  const begun = Date.now();
  const answer = await fetch(address(), { cache: "no-store" });
  const fresh = parsed(await answer.text());
  due = Date.now() + PAGE_REST * (Date.now() - begun);
  if (request !== asked) return;
  for (const id of ["header", "main", "footer"]) {
    const element = fresh.getElementById(id);
    if (element && at(id)) patch(at(id), element);
  }
  document.title = fresh.title;
  document.body.dataset.version = fresh.body.dataset.version;
  shown = address();
  at("said").textContent = words;
  showAge();
  readPlot();
  fetchSections().catch(() => {}); // a server that is away is seen by the next look at its version
}

async function go(url) {
  history.pushState(null, "", url);
  document.body.classList.add("loading");
  try {
    await load("The figures have changed.");
  } catch {
    location.reload();
  } finally {
    document.body.classList.remove("loading");
  }
}

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch("/version", { cache: "no-store" });
    const version = await answer.text();
    if (version !== document.body.dataset.version && Date.now() >= due) await load("");
    else fetchSections().catch(() => {});
    at("away").hidden = true;
    const published = at("published");
    if (published) published.dataset.complete = answer.headers.get("x-complete-until") ?? "";
  } catch {
    at("away").hidden = false;
  }
  showAge();
}

function showAge() {
  const published = at("published");
  if (!published) return;
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(published.dateTime)) / 1000));
  const minutes = Math.round(seconds / 60);
  const hours = Math.round(seconds / 3600);
  const age = seconds < 120 ? `${seconds} s` : minutes < 120 ? `${minutes} min` : `${hours} h`;
  at("age").textContent = ` (${age} ago)`;
  const limit = Number(published.dataset.old);
  const isLate = seconds > limit;
  // Without a time this is false.
  const isComplete = Date.now() - Date.parse(published.dataset.complete) <= limit * 1000;
  at("quiet").hidden = !isLate || !isComplete;
  at("old").hidden = !isLate || isComplete;
}

// The chart reads out the value at a place.
function readPlot(place) {
  const plot = at("plot");
  if (!plot) return;
  const points = JSON.parse(plot.dataset.points);
  const isChosen = place !== undefined;
  if (!isChosen && !plot.dataset.place) return;
  const n = Math.min(Math.max(isChosen ? place : Number(plot.dataset.place), 0), points.length - 1);
  plot.dataset.place = n;
  plot.setAttribute("aria-valuenow", n);
  plot.setAttribute("aria-valuetext", points[n]);
  at("readout").textContent = points[n];
  at("cursor").setAttribute("visibility", "visible");
  for (const end of ["x1", "x2"]) at("cursor").setAttribute(end, `${((n + 0.5) * 100) / points.length}%`);
}

document.addEventListener("pointermove", pointed);
document.addEventListener("pointerdown", pointed);
function pointed(event) {
  const plot = event.target.closest?.("#plot");
  if (!plot) return;
  const box = plot.getBoundingClientRect();
  const points = JSON.parse(plot.dataset.points).length;
  readPlot(Math.floor(((event.clientX - box.left) / box.width) * points));
}

document.addEventListener("keydown", (event) => {
  if (event.target.id !== "plot") return;
  const last = JSON.parse(event.target.dataset.points).length - 1;
  const now = Number(event.target.dataset.place ?? last);
  const keys = { ArrowLeft: now - 1, ArrowDown: now - 1, ArrowRight: now + 1, ArrowUp: now + 1, Home: 0, End: last };
  if (!(event.key in keys)) return;
  event.preventDefault();
  readPlot(keys[event.key]);
});

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  if (!link || link.hasAttribute("download") || link.getAttribute("href").startsWith("#")) return;
  if (event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  if (link.origin !== location.origin || link.pathname !== "/") return;
  event.preventDefault();
  go(link.href);
});

function sent(form) {
  const kept = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value !== "") kept.append(name, value);
  // Days that were not typed are not named, so that the page goes on to follow the traffic.
  const days = form.querySelectorAll("input[type=date]");
  if (form.dataset.follows && [...days].every((day) => day.value === day.defaultValue)) {
    for (const day of days) kept.delete(day.name);
  } else if (days.length) kept.delete("days");
  go(`/${kept.size ? `?${kept}` : ""}`);
}

document.addEventListener("submit", (event) => {
  event.preventDefault();
  sent(event.target);
});

// A filter shows its choice at once; a day is typed in parts, so its form waits for the button.
document.addEventListener("change", (event) => {
  if (event.target.matches("#filters select, #filters input[type=checkbox]")) sent(event.target.form);
});

addEventListener("popstate", () => {
  // A step to a section of the same figures is one, too.
  if (address() !== shown) load("The figures have changed.").catch(() => location.reload());
});

showAge();
setInterval(refresh, EVERY);
fetchSections().catch(() => {});
